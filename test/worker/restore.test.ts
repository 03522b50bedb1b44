// Restoring an enterprise in the deployment's own objects. The development runtime has no recovery, so a snapshot of the
// object's tables takes its place.
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { catalogOf } from "../../src/catalog/object.ts";
import { costing, type Enterprise, expectProblem, newEnterprise, objectOf, operator, projectNow } from "./api.ts";
import { bearer, openSocket } from "./open-socket.ts";

type Row = Record<string, SqlStorageValue>;
type Snapshot = { schema: string[]; rows: Map<string, Row[]> };

afterEach(() => vi.restoreAllMocks());

const OWN = "name NOT GLOB '_cf*' AND name NOT GLOB 'sqlite*'";

function takeSnapshot({ id }: Enterprise): Promise<Snapshot> {
  return runInDurableObject(objectOf(id), (_, { storage: { sql } }) => {
    const all = sql.exec<{ type: string; name: string; sql: string }>(
      `SELECT type, name, sql FROM sqlite_master WHERE ${OWN} AND sql IS NOT NULL ORDER BY type = 'trigger', type = 'index', rowid`,
    );
    const found = all.toArray();
    const rows = new Map(
      found
        .filter(({ type }) => type === "table")
        .map(({ name }) => [name, sql.exec<Row>(`SELECT * FROM ${name}`).toArray()] as const),
    );
    return { schema: found.map((row) => row.sql), rows };
  });
}

/** Replaces everything that the object has stored. */
function putSnapshot(sql: SqlStorage, { schema, rows }: Snapshot): void {
  for (const type of ["trigger", "view", "table"]) {
    const statement = `SELECT name FROM sqlite_master WHERE type = '${type}' AND ${OWN}`;
    for (const { name } of sql.exec<{ name: string }>(statement).toArray()) sql.exec(`DROP ${type} ${name}`);
  }
  for (const statement of schema.filter((text) => /^CREATE TABLE/i.test(text))) sql.exec(statement);
  for (const [table, stored] of rows) {
    for (const row of stored) {
      const columns = Object.keys(row);
      const places = columns.map(() => "?").join(", ");
      sql.exec(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${places})`, ...Object.values(row));
    }
  }
  for (const statement of schema.filter((text) => !/^CREATE TABLE/i.test(text))) sql.exec(statement);
}

/** Gives the object a recovery that goes back to the snapshot. */
function provideRecovery({ id }: Enterprise, snapshot: Snapshot): Promise<void> {
  return runInDurableObject(objectOf(id), (_, { storage }) => {
    const proto = Object.getPrototypeOf(storage);
    vi.spyOn(proto, "getBookmarkForTime").mockResolvedValue("then");
    vi.spyOn(proto, "onNextSessionRestoreBookmark").mockImplementation(async function (this: DurableObjectStorage) {
      this.transactionSync(() => putSnapshot(this.sql, snapshot));
      return "undo";
    });
  });
}

/** Runs the catalog's alarm until the job has ended. */
async function endOf(job: string) {
  for (let i = 0; i < 200; i++) {
    await runInDurableObject(catalogOf(env), (_, { storage }) => {
      storage.sql.exec("UPDATE restores SET due_at_ms = 0, begun_at_ms = 0");
      return storage.setAlarm(Date.now() + 60_000);
    });
    await runDurableObjectAlarm(catalogOf(env));
    const { body } = await operator("GET", `/v1/jobs/${job}`);
    if (body.state !== "running") return body;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("the restore has not ended");
}

const anHourAgo = () => new Date(Date.now() - 3_600_000).toISOString();

describe("restoring an enterprise", () => {
  it("is not supported where the platform has no recovery, as here", async () => {
    const e = await newEnterprise();
    expectProblem(await operator("POST", `${e.path}/restore`, { at: anHourAgo() }), 501, "not_supported");
    expectProblem(await operator("POST", "/v1/enterprises/nobody/restore", { at: anHourAgo() }), 404, "not_found");
    expect((await e.gauge()).enterprise).toBe(e.id);
  });

  it("takes the ledger and the copy back, keeps what was revoked, and refuses calls meanwhile", async () => {
    const e = await newEnterprise();
    const before = await e.createKey(["read"]);
    await e.debit(costing(10, { run: "kept" }));
    const snapshot = await takeSnapshot(e);
    const since = await e.createKey(["read"]);
    await operator("DELETE", `${e.path}/keys/${before.id}`);
    await e.debit(costing(100, { run: "undone" }));
    await projectNow(e.id);
    const { seq } = await e.gauge();
    const live = await openSocket(`${e.path}/live`, bearer(e.key));
    await provideRecovery(e, snapshot);

    const begun = await operator("POST", `${e.path}/restore`, { at: anHourAgo() });
    expect(begun.status).toBe(202);
    const busy = await e.agent("GET", `${e.path}/gauge`);
    expectProblem(busy, 503, "ledger_busy");
    expect(busy.headers.get("Retry-After")).not.toBeNull();
    expectProblem(await e.debit(costing(1, { run: "during" })), 503, "ledger_busy");
    expectProblem(await operator("DELETE", `${e.path}?confirm=${e.id}`), 503, "ledger_busy");
    expectProblem(await operator("POST", `${e.path}/restore`, { at: anHourAgo() }), 503, "ledger_busy");
    expect(await endOf(begun.body.job)).toMatchObject({
      name: "restore",
      enterprise: e.id,
      state: "done",
      progress: 1,
    });
    expect(await live.closed).toBe(1012);

    // This isolate learns within 30 seconds that the restore has ended.
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 31_000);
    const gauge = await e.gauge();
    vi.mocked(Date.now).mockRestore();
    expect(gauge.used_micros).toBe(10_000_000);
    expect(gauge.seq).toBeGreaterThan(seq);
    expectProblem(await before.send("GET", `${e.path}/gauge`), 401, "key_revoked");
    expect((await since.send("GET", `${e.path}/gauge`)).status).toBe(200);
    expect((await e.get("runs")).rows.map(({ run }: { run: string }) => run)).toEqual(["kept"]);
    const audit = await operator("GET", `${e.path}/audit`);
    expect(audit.body.checks.filter(({ ok }: { ok: boolean }) => !ok)).toEqual([]);
  });
});
