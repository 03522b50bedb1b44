// The life of keys, sign-in links, sessions and embed tokens. access-matrix.test.ts checks which routes each may call.
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it, vi } from "vitest";
import {
  type Answer,
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  freshId,
  invalidPaths,
  newEnterprise,
  objectOf,
  operator,
  senderWith,
} from "./api.ts";
import { pathOf, ROUTES } from "./routes.ts";
import { EDITOR_ORIGIN, sessionCookie } from "./sessions.ts";

const SCOPES = ["debit", "read", "admin"] as const;

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
  it("gets the same 404 for another enterprise as for one that does not exist", async () => {
    const { send } = await own.createKey([...SCOPES]);
    const visible = ({ status, text, headers }: Answer) => ({ status, text, headers: [...headers] });
    for (const route of ROUTES.filter(({ path }) => path.includes("{e}"))) {
      const body = route.body;
      const foreign = await send(route.method, pathOf(route, { e: other.id, run: "run-1", id: "g" }), body);
      const missing = await send(route.method, pathOf(route, { e: freshId(), run: "run-1", id: "g" }), body);
      expectProblem(foreign, 404, "not_found");
      expect(visible(foreign)).toEqual(visible(missing));
    }
    expect((await other.gauge()).used_micros).toBe(CREDIT);
  });
});

describe("an object that was never provisioned", () => {
  it("answers the operator not_found and stores nothing", async () => {
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
  it("are shown once, listed newest first without their secret, and can be revoked twice", async () => {
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
    for (let i = 0; i < 4; i++) await e.createKey(["read"]);
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

  it("can be made and revoked by an admin key, except admin keys", async () => {
    const e = await newEnterprise();
    const admin = await e.createKey(["admin"]);
    const second = await e.createKey(["admin", "debit"]);
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

  it("stop working with the next request after they expire or are revoked", async () => {
    const e = await newEnterprise();
    const { id, send } = await e.createKey([...SCOPES]);
    expect((await send("GET", `${e.path}/gauge`)).status).toBe(200);
    expect((await operator("DELETE", `${e.path}/keys/${id}`)).status).toBe(204);
    for (const route of ROUTES.filter(({ needs, path }) => needs !== "operator" && !/live|stream/.test(path))) {
      const path = pathOf(route, { e: e.id, run: "run-1", id });
      expectProblem(await send(route.method, path, route.body), 401, "key_revoked");
    }
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const ending = await e.createKey(["read"], { expires_at: new Date(Date.now() + 60_000).toISOString() });
      expect((await ending.send("GET", `${e.path}/gauge`)).status).toBe(200);
      vi.setSystemTime(Date.now() + 60_000);
      expectProblem(await ending.send("GET", `${e.path}/gauge`), 401, "key_expired");
    } finally {
      vi.useRealTimers();
    }
  });

  it("are refused, and none is made, if a field is invalid", async () => {
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
        expect(invalidPaths(await operator("POST", `${e.path}/keys`, body))).toEqual([field]);
      }
    }
    const unknown = await operator("POST", `${e.path}/keys`, { name: "x", scopes: ["read", "write"] });
    expect(invalidPaths(unknown)).toEqual(["scopes.1"]);
    expect((await operator("GET", `${e.path}/keys`)).body).toEqual(before);
  });
});

describe("a browser", () => {
  it("is not signed in by an expired session or by another kind of token", async () => {
    const gauge = (headers: HeadersInit) => senderWith(null)("GET", `${own.path}/gauge`, undefined, { headers });
    expect((await gauge(await sessionCookie(own.id, { role: "member" }))).status).toBe(200);
    const expired = await sessionCookie(own.id, { role: "member", expiresAtMs: Date.now() - 1_000 });
    expectProblem(await gauge(expired), 401, "key_missing");
    const link = await operator("POST", `${own.path}/sessions`, { user: "u1", role: "admin" });
    const token = new URL(link.body.url).searchParams.get("token");
    expectProblem(await gauge({ Cookie: `__Host-fuelgauge=${token}` }), 401, "key_missing");
    expectProblem(await senderWith(token)("GET", `${own.path}/gauge`), 401, "key_invalid");
  });

  it("gets a sign-in link for a user and a role, valid for five minutes", async () => {
    const { status, body } = await operator("POST", `${own.path}/sessions`, { user: "ada", role: "member" });
    expect(status).toBe(201);
    expect(body.url).toMatch(/^https:\/\/fuelgauge\.test\/signin\?token=\S+$/);
    const aheadMs = Date.parse(body.expires_at) - Date.now();
    expect(aheadMs).toBeGreaterThan(290_000);
    expect(aheadMs).toBeLessThanOrEqual(300_000);
    for (const [field, values] of Object.entries({ user: [undefined, "a b"], role: [undefined, "owner"], ttl: [5] })) {
      for (const value of values) {
        const answer = await operator("POST", `${own.path}/sessions`, { user: "ada", role: "member", [field]: value });
        expect(invalidPaths(answer)).toEqual([field]);
      }
    }
  });
});

describe("an embed token", () => {
  const make = (fields: Record<string, unknown> = {}) =>
    operator("POST", `${own.path}/embed-tokens`, { user: "u1", role: "member", origin: EDITOR_ORIGIN, ...fields });
  const from = (origin: string) => ({ headers: { Origin: origin } });

  it("reads the gauge of its enterprise from its own origin, and nothing else", async () => {
    const { status, body } = await make();
    expect(status).toBe(201);
    const send = senderWith(body.token);
    expect((await send("GET", `${own.path}/gauge`, undefined, from(EDITOR_ORIGIN))).status).toBe(200);
    expectProblem(await send("GET", `${own.path}/runs`, undefined, from(EDITOR_ORIGIN)), 403, "scope_denied");
    expectProblem(await send("GET", `${other.path}/gauge`, undefined, from(EDITOR_ORIGIN)), 404, "not_found");
    for (const origin of ["https://evil.example", "http://editor.example", `${EDITOR_ORIGIN}:8443`, "null"]) {
      expectProblem(await send("GET", `${own.path}/gauge`, undefined, from(origin)), 403, "origin_not_allowed");
    }
    expectProblem(await send("GET", `${own.path}/gauge`), 403, "origin_not_allowed");
  });

  it("lasts fifteen minutes by default and an hour at most, to the millisecond", async () => {
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
        const gauge = () => senderWith(body.token)("GET", `${own.path}/gauge`, undefined, from(EDITOR_ORIGIN));
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
      origin: [
        undefined,
        "editor.example",
        "ftp://editor.example",
        `${EDITOR_ORIGIN}/`,
        `${EDITOR_ORIGIN}/path`,
        "*",
        "null",
        "",
        7,
      ],
      role: ["owner"],
      user: [""],
    })) {
      for (const value of values) expect(invalidPaths(await make({ [field]: value }))).toEqual([field]);
    }
  });
});
