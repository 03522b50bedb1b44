// Restoring an enterprise in the deployment's own objects. The development runtime has no recovery, so a snapshot of the
// object's tables takes its place.
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { catalogOf } from "../../src/catalog/object.ts";
import {
  type Answer,
  auditFailures,
  costing,
  expectProblem,
  newEnterprise,
  objectOf,
  operator,
  projectNow,
} from "./api.ts";
import { alarm, endMove, move, newInEu, objectInEu, rowsIn, shardOf } from "./moves.ts";
import { bearer, openSocket } from "./open-socket.ts";
import { provideRecovery, takeSnapshot } from "./snapshots.ts";

afterEach(() => vi.restoreAllMocks());

/** Runs the catalog's alarm until the job has ended. */
async function endOf(job: string) {
  let body: Answer["body"];
  const state = async () => {
    await runInDurableObject(catalogOf(env), (_, { storage }) => {
      storage.sql.exec("UPDATE restores SET due_at_ms = 0, begun_at_ms = 0");
      return storage.setAlarm(Date.now() + 60_000);
    });
    await runDurableObjectAlarm(catalogOf(env));
    body = (await operator("GET", `/v1/jobs/${job}`)).body;
    return body.state;
  };
  await expect.poll(state).not.toBe("running");
  return body;
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
    const snapshot = await takeSnapshot(objectOf(e.id));
    const since = await e.createKey(["read"]);
    await operator("DELETE", `${e.path}/keys/${before.id}`);
    await e.debit(costing(100, { run: "undone" }));
    await projectNow(e.id);
    const { seq } = await e.gauge();
    const live = await openSocket(`${e.path}/live`, bearer(e.key));
    await provideRecovery(objectOf(e.id), snapshot);

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

  it("keeps the copy in the database to which it was moved since then", async () => {
    const e = await newInEu();
    await e.debit(costing(10, { run: "kept" }));
    await alarm(e);
    const from = await shardOf(e);
    const to = from === "DB_EU" ? "DB_EU_1" : "DB_EU";
    const snapshot = await takeSnapshot(objectInEu(e.id));
    await move(e, to);
    await endMove(e);
    await e.debit(costing(100, { run: "undone" }));
    await alarm(e);
    await provideRecovery(objectInEu(e.id), snapshot);
    const { body } = await operator("POST", `${e.path}/restore`, { at: anHourAgo() });
    expect(await endOf(body.job)).toMatchObject({ state: "done" });
    // Later than the time at which the test before this one let the isolate read its list.
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 120_000);
    const { used_micros } = await e.gauge();
    vi.mocked(Date.now).mockRestore();
    expect(used_micros).toBe(10_000_000);
    expect((await e.get("runs")).rows.map(({ run }: { run: string }) => run)).toEqual(["kept"]);
    expect(await shardOf(e)).toBe(to);
    expect((await rowsIn(from, e)).rows).toBe(0);
    expect((await rowsIn(to, e)).row).toBe("copy");
    expect(await auditFailures(e)).toEqual([]);
    expect((await operator("POST", `${e.path}/move-copy`, { shard: from })).status).toBe(202);
  });
});
