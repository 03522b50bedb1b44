// Deleting an enterprise: nothing of it is left, nothing of it works any more, and its id stays blocked.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { catalogOf, LISTS } from "../../src/catalog/object.ts";
import { COPY_TABLES } from "../../src/copy/delete-copy.ts";
import {
  type Answer,
  costing,
  type Enterprise,
  expectProblem,
  invalidPaths,
  newEnterprise,
  objectOf,
  operator,
  projectNow,
} from "./api.ts";
import { newBusyEnterprise, repairD1, replaceD1 } from "./copy-fixture.ts";
import { bearer, openSocket } from "./open-socket.ts";
import { sessionCookie } from "./sessions.ts";

const remove = (e: Enterprise) => operator("DELETE", `${e.path}?confirm=${encodeURIComponent(e.id)}`);

/** Waits until the job has ended. */
async function endOf(job: string) {
  let body: Answer["body"];
  await expect.poll(async () => (body = (await operator("GET", `/v1/jobs/${job}`)).body).state).not.toBe("running");
  return body;
}

/** The tables of the copy that have a row of the enterprise. */
async function leftInCopy({ id }: Enterprise): Promise<string[]> {
  const { results } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' AND name <> 'd1_migrations'",
  ).all<{ name: string }>();
  const left = [];
  for (const { name } of results) {
    const { results: rows } = await env.DB.prepare(`SELECT * FROM ${name}`).all();
    if (rows.some((row) => Object.values(row).includes(id))) left.push(name);
  }
  return left;
}

function leftInObject({ id }: Enterprise): Promise<unknown[]> {
  return runInDurableObject(objectOf(id), async (_, state) => [
    ...state.storage.sql.exec("SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'").toArray(),
    ...((await state.storage.getAlarm()) === null ? [] : ["alarm"]),
  ]);
}

/** The catalog's tables, except LISTS, that do not list enterprises or must keep the id of a deleted one. */
const OTHER_CATALOG_TABLES = [
  "busy_counts",
  "deletions",
  "enterprises",
  "jobs",
  "kept_access",
  "operator_keys",
  "operator_sessions_ended",
  "plan_counts",
  "plan_versions",
  "price_books",
  "price_entries",
  "price_versions",
  "restores",
  "shards",
  "webhook_secrets",
];

function catalogTables(): Promise<string[]> {
  const statement =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf*' AND name NOT GLOB 'sqlite*'";
  return runInDurableObject(catalogOf(env), (_, { storage }) =>
    storage.sql
      .exec<{ name: string }>(statement)
      .toArray()
      .map(({ name }) => name),
  );
}

describe("the deletion of an enterprise", () => {
  it("lists every table of the copy", async () => {
    const { results } = await env.DB.prepare(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%`enterprise` text%'",
    ).all<{ name: string }>();
    expect(COPY_TABLES.map(({ table }) => table).sort()).toEqual(results.map(({ name }) => name).sort());
  });

  it("leaves no row in the object or the copy, and keeps the record of its job", async () => {
    const e = await newBusyEnterprise();
    const other = await newBusyEnterprise();
    for (const { id } of [e, other]) await projectNow(id);
    expect((await leftInCopy(e)).length).toBeGreaterThan(6);
    const deleted = await remove(e);
    expect(deleted.status).toBe(202);
    const job = await endOf(deleted.body.job);
    expect(job).toEqual({ ...job, name: "delete", enterprise: e.id, state: "done", progress: 1 });
    expect(await leftInCopy(e)).toEqual([]);
    expect(await leftInObject(e)).toEqual([]);
    expect(await catalogOf(env).enterprises(Number.MAX_SAFE_INTEGER, 100)).not.toContainEqual(
      expect.objectContaining({ id: e.id }),
    );
    expect((await other.get("runs?limit=100")).rows.length).toBeGreaterThan(30);
  });

  it("leaves in the catalog only the record of the job and what blocks the id", async () => {
    const e = await newEnterprise();
    await e.put({ plan: "team" });
    await catalogOf(env).noteAudit(e.id, { state: "ok", checkedAtMs: 1, detail: "" });
    await endOf((await remove(e)).body.job);
    const tables = await catalogTables();
    // Add a new table to LISTS in src/catalog/object.ts if it lists enterprises.
    expect(tables.sort()).toEqual([...OTHER_CATALOG_TABLES, ...LISTS].sort());
    const left = await runInDurableObject(catalogOf(env), (_, { storage: { sql } }) =>
      tables.filter((name) =>
        sql
          .exec(`SELECT * FROM ${name}`)
          .toArray()
          .some((row) => Object.values(row).includes(e.id)),
      ),
    );
    expect(left.sort()).toEqual(["deletions", "jobs"]);
  });

  it("stops keys, sessions, links and sockets", async () => {
    const e = await newEnterprise();
    const { Cookie } = await sessionCookie(e.id);
    const link = await operator("POST", `${e.path}/sessions`, { user: "u1", role: "member" });
    const live = await openSocket(`${e.path}/live`, bearer(e.key));
    const stream = await openSocket(`${e.path}/debits/stream`, bearer(e.key));
    expect((await remove(e)).status).toBe(202);
    expect(await live.closed).toBe(4401);
    expect(await stream.closed).toBe(4401);
    expectProblem(await e.agent("GET", `${e.path}/gauge`), 404, "not_found");
    expectProblem(await e.debit(costing(1)), 404, "not_found");
    const session = await fetchWith(`${e.path}/gauge`, { Cookie });
    expect([401, 404]).toContain(session);
    const used = await operator("POST", new URL(link.body.url).pathname + new URL(link.body.url).search, undefined);
    expect(used.status).toBeGreaterThanOrEqual(400);
    for (const [method, path, body] of [
      ["GET", e.path, undefined],
      ["POST", `${e.path}/grants`, { id: "g", amount_micros: 1, source: "goodwill" }],
      ["GET", `${e.path}/audit`, undefined],
      ["POST", `${e.path}/rebuild`, undefined],
      ["GET", `${e.path}/export?kind=runs`, undefined],
      ["DELETE", `${e.path}?confirm=${e.id}`, undefined],
    ] as const) {
      expectProblem(await operator(method, path, body), 404, "not_found");
    }
  });

  it("blocks the id, also for a change, and also of an object that another request has created meanwhile", async () => {
    const e = await newEnterprise();
    const settings = { name: "Acme", billing_model: "credits", plan: "pro" };
    await endOf((await remove(e)).body.job);
    expectProblem(await operator("PUT", e.path, settings), 409, "enterprise_deleted");
    expectProblem(await operator("PUT", e.path, { suspended: true }), 409, "enterprise_deleted");
    expect(await leftInObject(e)).toEqual([]);
  });

  it("makes its referral code unknown", async () => {
    const e = await newEnterprise();
    const code = (await operator("GET", e.path)).body.referral_code;
    const referee = await newEnterprise();
    await remove(e);
    const referred = await operator("POST", "/v1/referrals", { code, referee: referee.id });
    expectProblem(referred, 404, "referral_code_unknown");
  });

  it("asks for the id as a confirmation, and knows no other enterprise", async () => {
    const e = await newEnterprise();
    expect(invalidPaths(await operator("DELETE", e.path))).toEqual(["confirm"]);
    expect(invalidPaths(await operator("DELETE", `${e.path}?confirm=other`))).toEqual(["confirm"]);
    expectProblem(await operator("DELETE", "/v1/enterprises/nobody?confirm=nobody"), 404, "not_found");
    expectProblem(await e.agent("DELETE", `${e.path}?confirm=${e.id}`), 403, "scope_denied");
    expect((await e.gauge()).enterprise).toBe(e.id);
  });

  it("continues after D1 was unavailable", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    await replaceD1(e, { prepare: () => unreachable, batch: () => unreachable.all() } as unknown as D1Database);
    const { body } = await remove(e);
    expectProblem(await e.agent("GET", `${e.path}/gauge`), 404, "not_found");
    expect((await operator("GET", `/v1/jobs/${body.job}`)).body.state).toBe("running");
    await repairD1(e);
    expect((await endOf(body.job)).state).toBe("done");
    expect(await leftInCopy(e)).toEqual([]);
    expect(await leftInObject(e)).toEqual([]);
  });
});

const unreachable = {
  bind: () => unreachable,
  all: () => Promise.reject(new Error("D1_ERROR: Network connection lost.")),
};

async function fetchWith(path: string, headers: Record<string, string>): Promise<number> {
  const { exports } = await import("cloudflare:workers");
  return (await exports.default.fetch(`https://fuelgauge.test${path}`, { headers })).status;
}
