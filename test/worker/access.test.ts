// What lets people and programs in: keys, links, sessions and embed tokens, from their making to their end. Which door
// each opens is in access-matrix.test.ts.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { mintToken } from "../../src/access/tokens.ts";
import {
  type Answer,
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  faultyPaths,
  freshId,
  newEnterprise,
  objectOf,
  operator,
  senderWith,
} from "./api.ts";
import { pathOf, ROUTES } from "./routes.ts";

const SCOPES = ["debit", "read", "admin"] as const;
const ORIGIN = "https://editor.example";
const FAR_MS = Date.UTC(2099, 0);

let own: Enterprise;
let other: Enterprise;
beforeAll(async () => {
  own = await newEnterprise();
  other = await newEnterprise();
  for (const e of [own, other]) {
    await e.debit(costing(1));
    await e.grant({ id: "g" });
  }
});

describe("a key", () => {
  it("answers a foreign enterprise just as one that is not there", async () => {
    const { send } = await own.keyOf([...SCOPES]);
    const shownOf = ({ status, text, headers }: Answer) => ({ status, text, headers: [...headers] });
    for (const route of ROUTES.filter(({ path }) => path.includes("{e}"))) {
      const body = route.body;
      const foreign = await send(route.method, pathOf(route, { e: other.id, run: "run-1", id: "g" }), body);
      const missing = await send(route.method, pathOf(route, { e: freshId(), run: "run-1", id: "g" }), body);
      expectProblem(foreign, 404, "not_found");
      expect(shownOf(foreign)).toEqual(shownOf(missing));
    }
    expect((await other.gauge()).used_micros).toBe(CREDIT);
  });
});

describe("an object that was never provisioned", () => {
  it("answers not_found to the operator and writes nothing", async () => {
    for (const route of ROUTES.filter(
      ({ path, method }) => path.includes("{e}") && !(path.endsWith("{e}") && method === "PUT"),
    )) {
      const e = freshId();
      const answer = await operator(route.method, pathOf(route, { e, run: "run-1", id: "g" }), route.body);
      if (answer.status === 426) continue;
      expectProblem(answer, 404, "not_found");
      const left = await runInDurableObject(objectOf(e), async (object, { storage }) => {
        await object.alarm();
        return [storage.sql.exec("SELECT name FROM sqlite_master").toArray(), await storage.getAlarm()];
      });
      expect(left).toEqual([[], null]);
    }
  });
});

describe("the keys of an enterprise", () => {
  it("are shown once, listed without their secret, newest first, and revoked for good", async () => {
    const e = await newEnterprise();
    const made = await operator("POST", `${e.path}/keys`, { name: "Build farm", scopes: ["read", "debit"] });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({ id: expect.any(String), key: expect.any(String) });
    const listed = await operator("GET", `${e.path}/keys`);
    expect(listed.body.rows[0]).toMatchObject({ id: made.body.id, name: "Build farm", scopes: ["read", "debit"] });
    expect(listed.text).not.toContain(made.body.key);
    expect(listed.text).not.toContain("hash");
    expect(listed.body.next_cursor).toBeNull();
    for (const _ of [1, 2]) expect((await operator("DELETE", `${e.path}/keys/${made.body.id}`)).status).toBe(204);
    const [row] = (await operator("GET", `${e.path}/keys`)).body.rows;
    expect(row).toMatchObject({ id: made.body.id, revoked_at: expect.any(String) });
    expectProblem(await operator("DELETE", `${e.path}/keys/none`), 404, "not_found");
  });

  it("are listed page by page", async () => {
    const e = await newEnterprise();
    for (let i = 0; i < 4; i++) await e.keyOf(["read"]);
    const all = (await operator("GET", `${e.path}/keys`)).body.rows.map(({ id }: { id: string }) => id);
    expect(all.length).toBe(5);
    const paged: string[] = [];
    for (let cursor = "", pages = 0; pages < 3; pages++) {
      const { body } = await operator("GET", `${e.path}/keys?limit=2${cursor && `&cursor=${cursor}`}`);
      expect(body.rows.length).toBe(pages < 2 ? 2 : 1);
      paged.push(...body.rows.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor;
    }
    expect(paged).toEqual(all);
    for (const query of ["limit=0", "limit=101", "cursor=x", "page=1"]) {
      expectProblem(await operator("GET", `${e.path}/keys?${query}`), 422, "validation_failed");
    }
  });

  it("may be made and revoked by an admin key, but for those that are admin", async () => {
    const e = await newEnterprise();
    const admin = await e.keyOf(["admin"]);
    const second = await e.keyOf(["admin", "debit"]);
    const made = await admin.send("POST", `${e.path}/keys`, { name: "x", scopes: ["debit", "read"] });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({ id: expect.any(String), key: expect.any(String) });
    const { rows } = (await admin.send("GET", `${e.path}/keys`)).body;
    const listed = rows.find(({ id }: { id: string }) => id === made.body.id);
    expect(listed).toMatchObject({ name: "x", scopes: ["debit", "read"], created_by: `key:${admin.id}` });
    for (const scopes of [["admin"], ["read", "admin"]]) {
      expectProblem(await admin.send("POST", `${e.path}/keys`, { name: "x", scopes }), 403, "scope_denied");
    }
    for (const id of [second.id, admin.id]) {
      expectProblem(await admin.send("DELETE", `${e.path}/keys/${id}`), 403, "scope_denied");
    }
    expect((await admin.send("DELETE", `${e.path}/keys/${made.body.id}`)).status).toBe(204);
    expectProblem(await senderWith(made.body.key)("GET", `${e.path}/gauge`), 401, "key_revoked");
    expectProblem(await admin.send("POST", `${e.path}/debits`, costing(1)), 403, "scope_denied");
  });

  it("end when they were made to, and when they are revoked, with the next request", async () => {
    const e = await newEnterprise();
    const { id, send } = await e.keyOf([...SCOPES]);
    expect((await send("GET", `${e.path}/gauge`)).status).toBe(200);
    expect((await operator("DELETE", `${e.path}/keys/${id}`)).status).toBe(204);
    for (const route of ROUTES.filter(({ needs, path }) => needs !== "operator" && !/live|stream/.test(path))) {
      const path = pathOf(route, { e: e.id, run: "run-1", id });
      expectProblem(await send(route.method, path, route.body), 401, "key_revoked");
    }
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const ending = await e.keyOf(["read"], { expires_at: new Date(Date.now() + 60_000).toISOString() });
      expect((await ending.send("GET", `${e.path}/gauge`)).status).toBe(200);
      vi.setSystemTime(Date.now() + 60_000);
      expectProblem(await ending.send("GET", `${e.path}/gauge`), 401, "key_expired");
    } finally {
      vi.useRealTimers();
    }
  });

  it("are refused where their fields make no sense", async () => {
    const e = await newEnterprise();
    const before = (await operator("GET", `${e.path}/keys`)).body;
    for (const [field, values] of Object.entries({
      name: [undefined, "", 7, "x".repeat(201)],
      scopes: [undefined, [], "read", ["read", "read"], null],
      expires_at: ["2020-01-01T00:00:00Z", new Date(Date.now() - 1).toISOString(), "soon", 7],
      key: ["mine"],
    })) {
      for (const value of values) {
        const body = { name: "agent", scopes: ["read"], [field]: value };
        expect(faultyPaths(await operator("POST", `${e.path}/keys`, body))).toEqual([field]);
      }
    }
    const unknown = await operator("POST", `${e.path}/keys`, { name: "x", scopes: ["read", "write"] });
    expect(faultyPaths(unknown)).toEqual(["scopes.1"]);
    expect((await operator("GET", `${e.path}/keys`)).body).toEqual(before);
  });
});

describe("a browser", () => {
  const cookieOf = async (enterprise: string, role: "admin" | "member", expiresAtMs = FAR_MS) => {
    const claims = { kind: "session" as const, enterprise, user: "u1", role, id: "s1", origin: "", expiresAtMs };
    return { headers: { Cookie: `__Host-fuelgauge=${await mintToken(env.SIGNING_SECRET, claims)}` } };
  };

  it("whose session has ended, or is a token of another kind, is a stranger", async () => {
    const gauge = (init: RequestInit) => senderWith(null)("GET", `${own.path}/gauge`, undefined, init);
    expect((await gauge(await cookieOf(own.id, "member"))).status).toBe(200);
    expectProblem(await gauge(await cookieOf(own.id, "member", Date.now() - 1_000)), 401, "key_missing");
    const link = await operator("POST", `${own.path}/sessions`, { user: "u1", role: "admin" });
    const token = new URL(link.body.url).searchParams.get("token");
    expectProblem(await gauge({ headers: { Cookie: `__Host-fuelgauge=${token}` } }), 401, "key_missing");
    expectProblem(await senderWith(token)("GET", `${own.path}/gauge`), 401, "key_invalid");
  });

  it("is signed in by a link for five minutes, made for a user and a role", async () => {
    const { status, body } = await operator("POST", `${own.path}/sessions`, { user: "ada", role: "member" });
    expect(status).toBe(201);
    expect(body.url).toMatch(/^https:\/\/fuelgauge\.test\/signin\?token=\S+$/);
    const aheadMs = Date.parse(body.expires_at) - Date.now();
    expect(aheadMs).toBeGreaterThan(290_000);
    expect(aheadMs).toBeLessThanOrEqual(300_000);
    for (const [field, values] of Object.entries({ user: [undefined, "a b"], role: [undefined, "owner"], ttl: [5] })) {
      for (const value of values) {
        const answer = await operator("POST", `${own.path}/sessions`, { user: "ada", role: "member", [field]: value });
        expect(faultyPaths(answer)).toEqual([field]);
      }
    }
  });
});

describe("an embed token", () => {
  const make = (fields: Record<string, unknown> = {}) =>
    operator("POST", `${own.path}/embed-tokens`, { user: "u1", role: "member", origin: ORIGIN, ...fields });
  const from = (origin: string) => ({ headers: { Origin: origin } });

  it("opens the gauge on its own origin, and nothing else", async () => {
    const { status, body } = await make();
    expect(status).toBe(201);
    const send = senderWith(body.token);
    expect((await send("GET", `${own.path}/gauge`, undefined, from(ORIGIN))).status).toBe(200);
    expectProblem(await send("GET", `${own.path}/runs`, undefined, from(ORIGIN)), 403, "scope_denied");
    expectProblem(await send("GET", `${other.path}/gauge`, undefined, from(ORIGIN)), 404, "not_found");
    for (const origin of ["https://evil.example", "http://editor.example", `${ORIGIN}:8443`, "null"]) {
      expectProblem(await send("GET", `${own.path}/gauge`, undefined, from(origin)), 403, "origin_not_allowed");
    }
    expectProblem(await send("GET", `${own.path}/gauge`), 403, "origin_not_allowed");
  });

  it("lasts fifteen minutes, or as long as was asked, an hour at most, to the millisecond", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const nowMs = Math.ceil(Date.now() / 1000) * 1000 + 999;
      vi.setSystemTime(nowMs);
      for (const [ttl, seconds] of [
        [{}, 900],
        [{ ttl_seconds: 60 }, 60],
        [{ ttl_seconds: 3_600 }, 3_600],
      ] as const) {
        vi.setSystemTime(nowMs);
        const { body } = await make(ttl);
        expect(Date.parse(body.expires_at)).toBe(nowMs + seconds * 1000);
        const gauge = () => senderWith(body.token)("GET", `${own.path}/gauge`, undefined, from(ORIGIN));
        vi.setSystemTime(nowMs + seconds * 1000 - 1);
        expect((await gauge()).status).toBe(200);
        vi.setSystemTime(nowMs + seconds * 1000);
        expectProblem(await gauge(), 401, "key_expired");
      }
    } finally {
      vi.useRealTimers();
    }
    for (const [field, values] of Object.entries({
      ttl_seconds: [0, 3_601, 1.5, "60"],
      origin: [undefined, "editor.example", "ftp://editor.example", `${ORIGIN}/`, `${ORIGIN}/path`, "*", "null", "", 7],
      role: ["owner"],
      user: [""],
    })) {
      for (const value of values) expect(faultyPaths(await make({ [field]: value }))).toEqual([field]);
    }
  });
});
