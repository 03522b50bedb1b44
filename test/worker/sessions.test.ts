// Sessions, sign-in links and embed tokens end on the server: when a person signs out, when the operator signs a person
// out, and when an admin becomes a member. Each check happens in the turn of the call. This file is long because the life
// of every kind of credential is one story.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { Caller } from "../../src/access/callers.ts";
import {
  type Answer,
  CREDIT,
  type Enterprise,
  expectProblem,
  newEnterprise,
  objectOf,
  operator,
  report,
  senderWith,
} from "./api.ts";
import { openSocket } from "./open-socket.ts";
import { EDITOR_ORIGIN, sessionToken } from "./sessions.ts";

const stranger = senderWith(null);
const FORM = {
  "Content-Type": "application/x-www-form-urlencoded",
  "Sec-Fetch-Site": "same-origin",
  Accept: "text/html",
};
const post = (path: string, fields: Record<string, string>, cookie = "") =>
  stranger("POST", path, String(new URLSearchParams(fields)), {
    headers: { ...FORM, Cookie: cookie },
    redirect: "manual",
  });
const get = (path: string, cookie: string) =>
  stranger("GET", path, undefined, { headers: { Accept: "text/html", Cookie: cookie }, redirect: "manual" });
const cookieOf = ({ headers }: Answer) => (headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";

async function linkOf({ path }: Enterprise, user: string, role = "admin"): Promise<string> {
  const { body } = await operator("POST", `${path}/sessions`, { user, role });
  return new URL(body.url).searchParams.get("token") ?? "";
}

async function signIn(e: Enterprise, user: string, role = "admin"): Promise<string> {
  const answer = await post("/signin", { token: await linkOf(e, user, role) });
  expect([answer.status, answer.headers.get("Location")]).toEqual([303, "/settings/usage"]);
  return cookieOf(answer);
}

const signOut = ({ path }: Enterprise, user: string) =>
  operator("POST", `${path}/users/${encodeURIComponent(user)}/sign-out`);
const gaugeWith = ({ path }: Enterprise, cookie: string) =>
  stranger("GET", `${path}/gauge`, undefined, { headers: { Cookie: cookie } });
const pagesOf = (cookie: string) =>
  Promise.all(
    ["/settings/usage", "/settings/model", "/settings/usage/runs/r"].map(async (path) => {
      const { status, headers } = await get(path, cookie);
      return `${status} ${headers.get("Location") ?? ""}`;
    }),
  );
const SIGNED_OUT = ["303 /", "303 /", "303 /"];

async function embedOf({ path }: Enterprise, user: string): Promise<string> {
  const { body } = await operator("POST", `${path}/embed-tokens`, { user, role: "member", origin: EDITOR_ORIGIN });
  return body.token;
}
const gaugeEmbedded = ({ path }: Enterprise, token: string) =>
  senderWith(token)("GET", `${path}/gauge`, undefined, { headers: { Origin: EDITOR_ORIGIN } });

describe("signing out", () => {
  it("ends the session on the server, also after the object was evicted, and leaves the person's other session", async () => {
    const e = await newEnterprise();
    const [kept, ended] = [await signIn(e, "ada"), await signIn(e, "ada")];
    const live = await openSocket(`${e.path}/live`, { Cookie: ended, Origin: "https://fuelgauge.test" });
    const other = await openSocket(`${e.path}/live`, { Cookie: kept, Origin: "https://fuelgauge.test" });
    await live.next();
    await other.next();
    const answer = await post("/signout", {}, ended);
    expect([answer.status, answer.headers.get("Location")]).toEqual([303, "/"]);
    expect(await live.closed).toBe(4401);
    for (const _ of [1, 2]) {
      expectProblem(await gaugeWith(e, ended), 401, "key_missing");
      expect(await pagesOf(ended)).toEqual(SIGNED_OUT);
      expect((await gaugeWith(e, kept)).status).toBe(200);
      await evictDurableObject(objectOf(e.id), { webSockets: "hibernate" });
    }
    await e.debit({ ...report(), run: "r2" });
    expect(await other.next()).toMatchObject({ enterprise: e.id });
    expectProblem(
      await stranger("GET", "/v1/price-book", undefined, { headers: { Cookie: ended } }),
      401,
      "key_missing",
    );
    expect((await openSocket(`${e.path}/live`, { Cookie: ended, Origin: "https://fuelgauge.test" })).status).toBe(401);
    expect((await post("/signout", {}, ended)).status).toBe(303);
  });

  it("redirects a page of an ended session to the start page once, not in a circle", async () => {
    const e = await newEnterprise();
    const cookie = await signIn(e, "ada");
    await signOut(e, "ada");
    const page = await get("/settings/usage", cookie);
    expect(page.headers.get("Set-Cookie")).toMatch(/^__Host-fuelgauge=;.*Max-Age=0/);
    const part = { headers: { Cookie: cookie, "HX-Request-Type": "partial" } };
    const partial = await stranger("GET", "/settings/usage?part=now", undefined, part);
    expect([partial.status, partial.text]).toEqual([401, expect.stringContaining("Signed out")]);
  });
});

describe("signing a person out", () => {
  it("ends all sessions, unused links and embed tokens made before, closes sockets, and nothing made later", async () => {
    const e = await newEnterprise();
    const user = "ada/1:x@y";
    const cookies = [await signIn(e, user), await signIn(e, user, "admin")];
    const [link, token] = [await linkOf(e, user), await embedOf(e, user)];
    const bystander = await signIn(e, "grace");
    const sockets = [
      await openSocket(`${e.path}/live`, { Cookie: cookies[0] ?? "", Origin: "https://fuelgauge.test" }),
      await openSocket(`${e.path}/live`, { Authorization: `Bearer ${token}`, Origin: EDITOR_ORIGIN }),
    ];
    for (const socket of sockets) await socket.next();
    await evictDurableObject(objectOf(e.id), { webSockets: "hibernate" });
    const answer = await signOut(e, user);
    expect([answer.status, answer.text]).toEqual([204, ""]);
    for (const socket of sockets) expect(await socket.closed).toBe(4401);
    for (const cookie of cookies) {
      expectProblem(await gaugeWith(e, cookie), 401, "key_missing");
      expect(await pagesOf(cookie)).toEqual(SIGNED_OUT);
    }
    expectProblem(await gaugeEmbedded(e, token), 401, "key_revoked");
    expect([(await post("/signin", { token: link })).status]).toEqual([410]);
    expect((await gaugeWith(e, bystander)).status).toBe(200);
    // What is made from now on works, even within the same millisecond.
    expect((await gaugeEmbedded(e, await embedOf(e, user))).status).toBe(200);
    expect((await gaugeWith(e, await signIn(e, user))).status).toBe(200);
  });

  it("is refused for an unknown enterprise, for an invalid id, and with an enterprise's key", async () => {
    const e = await newEnterprise();
    expectProblem(await operator("POST", "/v1/enterprises/nobody/users/ada/sign-out"), 404, "not_found");
    expectProblem(await operator("POST", `${e.path}/users/a%20b/sign-out`), 422, "validation_failed");
    expectProblem(await operator("POST", `${e.path}/users/ada/sign-out`, { at: 1 }), 422, "validation_failed");
    const admin = await e.createKey(["admin"]);
    expectProblem(await admin.send("POST", `${e.path}/users/ada/sign-out`), 403, "scope_denied");
  });

  it("is offered on the operator's page of the enterprise", async () => {
    const e = await newEnterprise();
    const cookie = await signIn(e, "ada");
    const signedIn = await post("/operator/signin", { operator_key: "operator-key-of-the-tests-32-characters" });
    const page = `/operator/enterprises/${e.id}`;
    const wrong = await post(`${page}/sign-out`, { signed_out_user: "a b" }, cookieOf(signedIn));
    expect([wrong.status, wrong.text.includes("Nobody was signed out.")]).toEqual([422, true]);
    expect((await gaugeWith(e, cookie)).status).toBe(200);
    const done = await post(`${page}/sign-out`, { signed_out_user: " ada " }, cookieOf(signedIn));
    expect(done.headers.get("Location")).toBe(`${page}/access?done=signed_out`);
    expectProblem(await gaugeWith(e, cookie), 401, "key_missing");
  });

  it("keeps one row per person, and forgets it when nothing issued before can be valid", async () => {
    const e = await newEnterprise();
    for (const user of ["ada", "ada", "grace"]) await signOut(e, user);
    const rows = () =>
      runInDurableObject(objectOf(e.id), (_, { storage }) => [
        ...storage.sql.exec("SELECT kind, id FROM sign_outs ORDER BY id").raw(),
      ]);
    expect(await rows()).toEqual([
      ["person", "ada"],
      ["person", "grace"],
    ]);
    await runInDurableObject(objectOf(e.id), (_, { storage }) => {
      storage.sql.exec("UPDATE sign_outs SET forget_at_ms = 1 WHERE id = 'ada'");
    });
    await signOut(e, "mary");
    expect(await rows()).toEqual([
      ["person", "grace"],
      ["person", "mary"],
    ]);
  });
});

describe("an admin who becomes a member", () => {
  it("loses the role in older sessions and links as soon as a link as a member is made, and stays signed in", async () => {
    const e = await newEnterprise({ billing_model: "byom" });
    const cookie = await signIn(e, "ada", "admin");
    const unused = await linkOf(e, "ada", "admin");
    await linkOf(e, "ada", "member");
    const form = { enterprise: e.id, from: "none", limit: "cap", cap: "5" };
    expect((await post("/settings/model", form, cookie)).status).toBe(403);
    expect((await e.gauge()).spend.cap_micros).toBeNull();
    expect((await gaugeWith(e, cookie)).status).toBe(200);
    expect((await post("/signin", { token: unused })).status).toBe(410);
    const promoted = await signIn(e, "ada", "admin");
    expect((await post("/settings/model", form, promoted)).headers.get("Location")).toBe("/settings/model?saved");
    expect((await e.gauge()).spend.cap_micros).toBe(5 * CREDIT);
  });
});

describe("a session that ends between the check at the edge and the commit", () => {
  it.each([
    ["signs out", (e: Enterprise, cookie: string) => post("/signout", {}, cookie).then(() => e)],
    ["is signed out by the operator", (e: Enterprise) => signOut(e, "ada").then(() => e)],
    ["is made a member", (e: Enterprise) => linkOf(e, "ada", "member").then(() => e)],
  ])("changes no cap if the person %s", async (_, end) => {
    const e = await newEnterprise({ billing_model: "byom" });
    const cookie = await signIn(e, "ada");
    const { ENTERPRISE } = env;
    let ended = false;
    const stubOf = (name: string) => {
      const stub = ENTERPRISE.getByName(name);
      return {
        copyView: (caller: Caller) => stub.copyView(caller),
        setCap: async (caller: Caller, capMicros: number | null, fromMicros: number | null) => {
          Object.assign(env, { ENTERPRISE });
          await end(e, cookie);
          ended = true;
          return stub.setCap(caller, capMicros, fromMicros);
        },
      };
    };
    Object.assign(env, { ENTERPRISE: { getByName: stubOf } });
    try {
      const answer = await post("/settings/model", { enterprise: e.id, from: "none", limit: "cap", cap: "5" }, cookie);
      expect(ended).toBe(true);
      expect(answer.headers.get("Location")).not.toBe("/settings/model?saved");
    } finally {
      Object.assign(env, { ENTERPRISE });
    }
    expect((await e.gauge()).spend.cap_micros).toBeNull();
  });
});

describe("the operator's session", () => {
  it("ends on the server when it is signed out, and only that one", async () => {
    const key = { operator_key: "operator-key-of-the-tests-32-characters" };
    const [ended, kept] = [
      cookieOf(await post("/operator/signin", key)),
      cookieOf(await post("/operator/signin", key)),
    ];
    expect((await get("/operator", ended)).status).toBe(200);
    expect((await post("/operator/signout", {}, ended)).status).toBe(303);
    expect((await get("/operator", ended)).headers.get("Location")).toBe("/operator/signin");
    expect((await post("/operator/new", {}, ended)).headers.get("Location")).toBe("/operator/signin");
    expect((await get("/operator", kept)).status).toBe(200);
  });
});

describe("credentials that the last release made", () => {
  // Made by version 0.x before claims had a version, with the secrets of the tests.
  const KEY = "fg_WyJsZWdhY3kiLCJrMSIsImRyIixudWxsXQ==.GffhH4wR64t8oW7lkZS6I8vDs2fEJkHissewKuy0nLA=";
  const HASH = "OFyDupMwdyPZ2PbH85F1cPgZlRKMK_9CdDmQC2g12cE=";
  const HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
  const SESSION = `${HEADER}.eyJraW5kIjoic2Vzc2lvbiIsImVudCI6ImxlZ2FjeSIsInN1YiI6ImFkYSIsInJvbGUiOiJhZG1pbiIsImp0aSI6InNlc3Npb24tMSIsIm9yZyI6IiIsImV4cCI6NDA3MDkwODgwMH0.SvbXg5VVlbHlCHm8qvgS9o9glh4AW-J62E21N730Iuw`;
  const EMBED = `${HEADER}.eyJraW5kIjoiZW1iZWQiLCJlbnQiOiJsZWdhY3kiLCJzdWIiOiJhZGEiLCJyb2xlIjoiYWRtaW4iLCJqdGkiOiJlbWJlZC0xIiwib3JnIjoiaHR0cHM6Ly9lZGl0b3IuZXhhbXBsZSIsImV4cCI6NDA3MDkwODgwMH0._62KlSBglYj-pnrxUoSE0FJwj7n4BNBvKm0pA6eXZww`;
  const LINK = `${HEADER}.eyJraW5kIjoibGluayIsImVudCI6ImxlZ2FjeSIsInN1YiI6ImFkYSIsInJvbGUiOiJhZG1pbiIsImp0aSI6ImxpbmstMSIsIm9yZyI6IiIsImV4cCI6NDA3MDkwODgwMH0.ZYI7Sv2CqVNAcpl39m6qsXM0TtP0J2W5p5HYEAwEjTo`;
  const OPERATOR = "__Host-fuelgauge-operator=4070908800000.K81pojUEoUwaIfDL4_xXhCGONJBR6s8bSC2r11vaxAo=";

  it("keep working, and can be ended", async () => {
    const e = await newEnterprise({}, "legacy");
    const stored = { id: "k1", name: "agents", scopes: ["debit", "read"] as const, hash: HASH, expiresAtMs: null };
    await objectOf(e.id).addKey({ kind: "operator" }, stored);
    const agent = senderWith(KEY);
    expect((await agent("POST", `${e.path}/debits`, report())).status).toBe(200);
    const session = `__Host-fuelgauge=${SESSION}`;
    expect((await gaugeWith(e, session)).status).toBe(200);
    expect((await gaugeEmbedded(e, EMBED)).status).toBe(200);
    const signedIn = await post("/signin", { token: LINK });
    expect((await gaugeWith(e, cookieOf(signedIn))).status).toBe(200);
    expect((await get("/operator", OPERATOR)).status).toBe(200);
    expect((await operator("DELETE", `${e.path}/keys/k1`)).status).toBe(204);
    expectProblem(await agent("GET", `${e.path}/gauge`), 401, "key_revoked");
    await post("/signout", {}, session);
    expectProblem(await gaugeWith(e, session), 401, "key_missing");
    await post("/operator/signout", {}, OPERATOR);
    expect((await get("/operator", OPERATOR)).status).toBe(303);
  });

  it("are the only ones without a version: a claim of a region is under the MAC", async () => {
    const e = await newEnterprise();
    const [, payload = ""] = (await sessionToken(e.id)).split(".");
    expect(JSON.parse(atob(payload))).toMatchObject({ v: 1, reg: "", ist: expect.any(Number) });
    const claims = atob(e.key.slice("fg_".length).split(".")[0] ?? "");
    expect(JSON.parse(claims)).toEqual([e.id, expect.any(String), "dr", null, 1, ""]);
  });
});

describe("a rotation of the signing secret and the operator key", () => {
  const secrets = env as unknown as Record<string, string | undefined>;
  it("keeps everything valid while the previous secrets are accepted, and ends it afterwards", async () => {
    const e = await newEnterprise();
    const cookie = await signIn(e, "ada");
    const token = await embedOf(e, "ada");
    const key = "operator-key-of-the-tests-32-characters";
    const page = cookieOf(await post("/operator/signin", { operator_key: key }));
    const before = { ...secrets };
    const next = {
      OPERATOR_KEY: "next-operator-key-of-the-tests-32",
      SIGNING_SECRET: "next-signing-secret-of-the-tests-32",
    };
    const statuses = async (operatorKey: string) => [
      (await e.agent("GET", `${e.path}/gauge`)).status,
      (await gaugeWith(e, cookie)).status,
      (await gaugeEmbedded(e, token)).status,
      (await get("/operator", page)).status,
      (await senderWith(operatorKey)("GET", e.path)).status,
    ];
    try {
      const { OPERATOR_KEY, SIGNING_SECRET } = before;
      const previous = { OPERATOR_KEY_PREVIOUS: OPERATOR_KEY, SIGNING_SECRET_PREVIOUS: SIGNING_SECRET };
      Object.assign(secrets, next, previous);
      expect(await statuses(key)).toEqual([200, 200, 200, 200, 200]);
      const made = await senderWith(next.OPERATOR_KEY)("POST", `${e.path}/keys`, { name: "new", scopes: ["read"] });
      Object.assign(secrets, { OPERATOR_KEY_PREVIOUS: "", SIGNING_SECRET_PREVIOUS: "" });
      expect(await statuses(key)).toEqual([401, 401, 401, 303, 401]);
      expect((await senderWith(made.body.key)("GET", `${e.path}/gauge`)).status).toBe(200);
    } finally {
      Object.assign(secrets, { OPERATOR_KEY_PREVIOUS: undefined, SIGNING_SECRET_PREVIOUS: undefined }, before);
    }
  });
});

describe("limits", () => {
  it("lets a key, a session or an embed token have a hundred open live sockets, hibernating ones included", async () => {
    const e = await newEnterprise();
    const headers = { Cookie: await signIn(e, "ada"), Origin: "https://fuelgauge.test" };
    const open = [];
    for (let n = 0; n < 100; n++) open.push(await openSocket(`${e.path}/live`, headers));
    await evictDurableObject(objectOf(e.id), { webSockets: "hibernate" });
    const refused = await stranger("GET", `${e.path}/live`, undefined, {
      headers: { ...headers, Upgrade: "websocket" },
    });
    expectProblem(refused, 429, "rate_limited");
    expect(refused.headers.get("Retry-After")).toBe("10");
    const again = { Cookie: await signIn(e, "ada"), Origin: headers.Origin };
    expect((await openSocket(`${e.path}/live`, again)).status).toBe(101);
    expect((await openSocket(`${e.path}/live`, { Authorization: `Bearer ${e.key}` })).status).toBe(101);
    open[0]?.socket?.close();
    await open[0]?.closed;
    expect((await openSocket(`${e.path}/live`, headers)).status).toBe(101);
  });

  it("lets an enterprise have a thousand keys that are neither revoked nor expired", async () => {
    const e = await newEnterprise();
    const columns = "id, name, scopes, hash, created_by, created_at_ms, expires_at_ms, revoked_at_ms";
    await runInDurableObject(objectOf(e.id), (_, { storage }) => {
      storage.sql.exec(
        `INSERT INTO keys (${columns}) SELECT 'k' || value, 'k', '["read"]', 'h', 'operator', 1, iif(value % 2, NULL, 9e12), NULL
          FROM (WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 998) SELECT * FROM n)`,
      );
      storage.sql.exec(
        `INSERT INTO keys (${columns}) VALUES ('old', 'k', '["read"]', 'h', 'operator', 1, 2, NULL),
          ('gone', 'k', '["read"]', 'h', 'operator', 1, NULL, 2)`,
      );
    });
    const make = () => operator("POST", `${e.path}/keys`, { name: "agent", scopes: ["read"] });
    const last = await make();
    expect(last.status).toBe(201);
    expectProblem(await make(), 409, "too_many_keys");
    expect((await operator("DELETE", `${e.path}/keys/${last.body.id}`)).status).toBe(204);
    expect((await make()).status).toBe(201);
  });
});
