// Who may do what: keys and scopes on every route, revocation, expiry, forgery, sessions and embed tokens.
import { listDurableObjectIds, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { mintKey } from "../../src/access/keys.ts";
import { mintToken } from "../../src/access/tokens.ts";
import { app } from "../../src/app.tsx";
import {
  type Answer,
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  faultyPaths,
  freshId,
  newEnterprise,
  OPERATOR_KEY,
  objectOf,
  operator,
  type Send,
  senderWith,
} from "./client.ts";
import { nameOf, pathOf, ROUTES, type Route } from "./routes.ts";

const SCOPES = ["debit", "read", "admin"] as const;
const ORIGIN = "https://editor.example";
const FAR_MS = Date.UTC(2099, 0);

/** What the door said: a code, or "in". Nothing is sent but the method and the path. */
async function doorOf(send: Send, route: Route, e: string, init?: RequestInit): Promise<string> {
  const answer = await send(route.method, pathOf(route, { e, run: "run-1", id: "g" }), undefined, init);
  if (answer.status < 400) return "in";
  expectProblem(answer, answer.status, answer.body?.code);
  return [401, 403, 404].includes(answer.status) ? answer.body.code : "in";
}

const inside = ({ mayBeMissing }: Route) => (mayBeMissing ? "not_found" : "in");

/** What the contract says of a key with these scopes on a route. */
function expectedOf(route: Route, scopes: readonly string[], own: boolean): string {
  const { needs, path } = route;
  if (!own && path.includes("{e}")) return "not_found";
  const fits = needs === "any key" || scopes.includes(needs) || (needs === "read" && scopes.includes("admin"));
  return fits ? inside(route) : "scope_denied";
}

const doorsOf = async (send: Send, e: string, init?: RequestInit) =>
  Object.fromEntries(
    await Promise.all(ROUTES.map(async (route) => [nameOf(route), await doorOf(send, route, e, init)])),
  );
const expected = (say: (route: Route) => string) =>
  Object.fromEntries(ROUTES.map((route) => [nameOf(route), say(route)]));

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

describe("every route", () => {
  it("stands in the table that these tests go through", () => {
    const served = app.routes
      .filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1/"))
      .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
    expect([...new Set(served)].sort()).toEqual(ROUTES.map(nameOf).sort());
  });

  it("is closed without a key, and for what is none", async () => {
    expect(await doorsOf(senderWith(null), own.id)).toEqual(expected(() => "key_missing"));
    for (const nonsense of ["x", "fg_", "fg_a.b", `${OPERATOR_KEY}x`, OPERATOR_KEY.slice(1), "null"]) {
      expect(await doorsOf(senderWith(nonsense), own.id)).toEqual(expected(() => "key_invalid"));
    }
    for (const header of ["Basic dXNlcjpwYXNz", "Bearer", "Bearer a b", OPERATOR_KEY, `Token ${OPERATOR_KEY}`]) {
      const answer = await senderWith(null)("GET", `${own.path}/gauge`, undefined, {
        headers: { Authorization: header },
      });
      expectProblem(answer, 401, "key_invalid");
      expect(answer.headers.get("WWW-Authenticate")).toMatch(/^Bearer/);
    }
  });

  it("lets the operator in, everywhere", async () => {
    expect(await doorsOf(operator, own.id)).toEqual(expected(inside));
  });

  const subsets = [1, 2, 3, 4, 5, 6, 7].map((bits) => SCOPES.filter((_, i) => bits & (1 << i)));
  it.each(subsets.map((scopes) => [scopes.join("+"), scopes] as const))(
    "lets a key with %s in where that scope is needed, and shows it nothing of another enterprise",
    async (_, scopes) => {
      const { send } = await own.keyOf([...scopes]);
      expect(await doorsOf(send, own.id)).toEqual(expected((route) => expectedOf(route, scopes, true)));
      expect(await doorsOf(send, other.id)).toEqual(expected((route) => expectedOf(route, scopes, false)));
    },
  );

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

  it("is closed to a key from the request after its revocation on", async () => {
    const { id, send } = await own.keyOf([...SCOPES]);
    expect((await send("GET", `${own.path}/gauge`)).status).toBe(200);
    expect((await operator("DELETE", `${own.path}/keys/${id}`)).status).toBe(204);
    for (const route of ROUTES.filter(({ needs }) => needs !== "operator")) {
      const { method, body } = route;
      if (route.path.endsWith("/stream") || route.path.endsWith("/live")) continue; // These say 426 first.
      expectProblem(await send(method, pathOf(route, { e: own.id, run: "run-1", id }), body), 401, "key_revoked");
    }
  });

  it("is closed to an expired key before its object wakes", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const { send } = await own.keyOf([...SCOPES], { expires_at: new Date(Date.now() + 60_000).toISOString() });
      expect((await send("GET", `${own.path}/gauge`)).status).toBe(200);
      vi.setSystemTime(Date.now() + 60_000);
      expect(await doorsOf(send, own.id)).toEqual(expected(() => "key_expired"));
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("a forged key", () => {
  const objects = async () => (await listDurableObjectIds(env.ENTERPRISE)).map(String).sort();
  const claimsFor = (enterprise: string) => ({ enterprise, id: "k1", scopes: [...SCOPES], expiresAtMs: null });

  it("wakes no object, whatever it claims", async () => {
    const before = await objects();
    const { DB } = env;
    // Nor does it read D1: it could not.
    env.DB = undefined as unknown as D1Database;
    for (const secret of ["", "signing-secret-of-the-test", "another"]) {
      const e = freshId();
      const { key } = await mintKey(secret === "" ? " " : secret, claimsFor(e));
      expect(await doorsOf(senderWith(key), e)).toEqual(expected(() => "key_invalid"));
    }
    expect(await doorsOf(senderWith("fg_e30.e30"), freshId())).toEqual(expected(() => "key_invalid"));
    // A true key of one enterprise wakes no other, and neither does its name in a path.
    const answers = await doorsOf(own.agent, freshId());
    expect(answers[nameOf(ROUTES[0] as Route)]).toBe("not_found");
    env.DB = DB;
    expect(await objects()).toEqual(before);
  });

  it("made of a true one by changing any part of it is no key", async () => {
    const [head, mac = ""] = own.key.split(".") as [string, string];
    const { key: foreign } = other;
    const flip = (text: string, at: number) => {
      const index = at < 0 ? text.length + at : at;
      return `${text.slice(0, index)}${text[index] === "A" ? "B" : "A"}${text.slice(index + 1)}`;
    };
    // base64url spells the same bytes in four ways by its last letter: only one is the key.
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const lastLetter = letters.indexOf(mac.at(-1) as string);
    const sameBytes = [1, 2, 3].map((bits) => `${head}.${mac.slice(0, -1)}${letters[lastLetter ^ bits]}`);
    for (const forged of [
      ...sameBytes,
      `${head}.${flip(mac, 0)}`,
      `${head}.${flip(mac, -1)}`,
      `${head}.${mac.slice(0, -1)}`,
      `${head}.`,
      head,
      `${own.key}.`,
      `${own.key}=`,
      `${flip(head, 8)}.${mac}`,
      `${foreign.split(".")[0]}.${mac}`,
      own.key.toLowerCase(),
      own.key.slice(3),
    ]) {
      const send = senderWith(forged);
      expectProblem(await send("GET", `${own.path}/gauge`), 401, "key_invalid");
      // No object is asked: not even one whose key this nearly is.
      expectProblem(await send("GET", `/v1/enterprises/${freshId()}/gauge`), 401, "key_invalid");
    }
  });

  it("with a true MAC that this enterprise never made is not known to it", async () => {
    const { key } = await mintKey(env.SIGNING_SECRET, claimsFor(own.id));
    expectProblem(await senderWith(key)("GET", `${own.path}/gauge`), 401, "key_invalid");
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
    expect(made.body).toMatchObject({ id: expect.any(String), key: expect.any(String), name: "Build farm" });
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
    expect(made.body.created_by).toBe(`key:${admin.id}`);
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

  it("that is signed in may read its own enterprise's JSON, and write none", async () => {
    for (const role of ["admin", "member"] as const) {
      const doors = await doorsOf(senderWith(null), own.id, await cookieOf(own.id, role));
      for (const route of ROUTES.filter(({ needs }) => needs !== "any key")) {
        const reads = route.needs === "read" && route.method === "GET";
        expect(`${nameOf(route)}: ${doors[nameOf(route)]}`).toBe(`${nameOf(route)}: ${reads ? "in" : "key_missing"}`);
      }
    }
    const foreign = await senderWith(null)("GET", `${other.path}/gauge`, undefined, await cookieOf(own.id, "admin"));
    expectProblem(foreign, 404, "not_found");
  });

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
    const doors = await doorsOf(send, own.id, from(ORIGIN));
    for (const route of ROUTES)
      expect([nameOf(route), doors[nameOf(route)] === "in"]).toEqual([nameOf(route), route.embed === true]);
    expectProblem(await send("GET", `${other.path}/gauge`, undefined, from(ORIGIN)), 404, "not_found");
    for (const origin of ["https://evil.example", "http://editor.example", `${ORIGIN}:8443`, "null"]) {
      expectProblem(await send("GET", `${own.path}/gauge`, undefined, from(origin)), 403, "origin_not_allowed");
    }
    expectProblem(await send("GET", `${own.path}/gauge`), 403, "origin_not_allowed");
  });

  it("lasts fifteen minutes, or as long as was asked, an hour at most", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const nowMs = Math.ceil(Date.now() / 1000) * 1000;
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
        vi.setSystemTime(nowMs + seconds * 1000 - 1_000);
        expect((await gauge()).status).toBe(200);
        vi.setSystemTime(nowMs + seconds * 1000);
        expectProblem(await gauge(), 401, "key_invalid");
      }
    } finally {
      vi.useRealTimers();
    }
    for (const [field, values] of Object.entries({
      ttl_seconds: [0, 3_601, 1.5, "60"],
      origin: [undefined, "editor.example", `${ORIGIN}/`, `${ORIGIN}/path`, "*", "null", "", 7],
      role: ["owner"],
      user: [""],
    })) {
      for (const value of values) expect(faultyPaths(await make({ [field]: value }))).toEqual([field]);
    }
  });
});
