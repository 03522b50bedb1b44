// Every route of the router against every kind of caller. The expected answers come from the table of routes and one rule
// for each caller. Refused callers must not wake an object or read D1, which is counted. Long because the rules and the
// callers belong together.
import { env, exports } from "cloudflare:workers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { mintKey } from "../../src/access/keys.ts";
import { app } from "../../src/app.tsx";
import { costing, type Enterprise, freshId, newEnterprise, OPERATOR_KEY, operator } from "./api.ts";
import { bearer } from "./open-socket.ts";
import { nameOf, PAGES, type Page, pathOf, ROUTES, type Route } from "./routes.ts";
import { EDITOR_ORIGIN, embedToken, sessionCookie } from "./sessions.ts";

const SCOPES = ["debit", "read", "admin"] as const;
const SCOPE_SETS = [1, 2, 3, 4, 5, 6, 7].map((bits) => SCOPES.filter((_, i) => bits & (1 << i)));
const HOST = "https://fuelgauge.test";

type HeaderMap = Record<string, string>;

let own: Enterprise;
let other: Enterprise;
beforeAll(async () => {
  own = await newEnterprise();
  other = await newEnterprise();
  for (const { debit, grant } of [own, other]) {
    await debit(costing(1));
    await grant({ id: "g" });
  }
});

/** The uses of the bindings of objects and D1 since the test began. */
let bindingUses: string[] = [];
const bindings = { ENTERPRISE: env.ENTERPRISE, CATALOG: env.CATALOG, DB: env.DB };
beforeAll(() => {
  for (const [name, binding] of Object.entries(bindings)) Object.assign(env, { [name]: watch(name, binding) });
});
afterAll(() => Object.assign(env, bindings));
beforeEach(() => {
  bindingUses = [];
});

function watch(name: string, binding: object): object {
  return new Proxy(binding, {
    get: (target, property) => {
      bindingUses.push(`${name}.${String(property)}`);
      const value = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The outcome of a request: the code of its refusal, "in", or "out" if a page redirects to a sign-in form. */
async function outcomeOf({ method, path }: Route | Page, e: string, headers: HeaderMap): Promise<string> {
  const socket = /\/(live|stream)$/.test(path) ? { Upgrade: "websocket" } : {};
  // A member reads only their own budgets.
  const id = path.includes("/budgets/") ? "u1" : "g";
  const url = `${HOST}${pathOf({ path }, { e, run: "run-1", id })}`;
  const response = await exports.default.fetch(url, { method, redirect: "manual", headers: { ...socket, ...headers } });
  response.webSocket?.accept();
  response.webSocket?.close();
  if (response.webSocket !== null) return "in";
  const location = response.headers.get("Location") ?? "";
  if (response.status === 303 && (location === "/" || location.startsWith("/operator/signin"))) return "out";
  const body = await response.text();
  if (![401, 403, 404, 410].includes(response.status)) return "in";
  expect(response.headers.get("Content-Type")).toBe("application/problem+json");
  if (response.status === 401) expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
  return JSON.parse(body).code;
}

async function outcomesOf(routes: readonly (Route | Page)[], e: string, headers: HeaderMap) {
  const outcomes: Record<string, string> = {};
  for (const route of routes) outcomes[nameOf(route)] = await outcomeOf(route, e, headers);
  return outcomes;
}

const expected = <R extends Route | Page>(routes: readonly R[], outcomeOfRoute: (route: R) => string) =>
  Object.fromEntries(routes.map((route) => [nameOf(route), outcomeOfRoute(route)]));

// The expected outcomes for each kind of caller.

const admitted = ({ mayBeMissing, missing }: Route): string => missing ?? (mayBeMissing ? "not_found" : "in");
const ofEnterprise = ({ path }: Route) => path.includes("{e}");

function withKey(scopes: readonly string[], isOwn: boolean) {
  return (route: Route): string => {
    if (!isOwn && ofEnterprise(route)) return "not_found";
    const { needs } = route;
    const fits = needs === "any key" || scopes.includes(needs) || (needs === "read" && scopes.includes("admin"));
    return fits ? admitted(route) : "scope_denied";
  };
}

/** A session may GET what a `read` key may, and the price book. Every write needs a key. */
const openToSessions = ({ method, needs }: Route) => method === "GET" && (needs === "read" || needs === "any key");

const withSession =
  (isOwn: boolean) =>
  (route: Route): string => {
    if (!openToSessions(route)) return "key_missing";
    return isOwn || !ofEnterprise(route) ? admitted(route) : "not_found";
  };

const withEmbedToken =
  (isOwn: boolean, rightOrigin: boolean) =>
  (route: Route): string => {
    if (!rightOrigin) return "origin_not_allowed";
    if (!isOwn && ofEnterprise(route)) return "not_found";
    return route.embed === true ? admitted(route) : "scope_denied";
  };

const withoutSession = ({ stranger }: Page) => stranger;

it("covers every route of the router", () => {
  const served = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  expect([...new Set(served)].sort()).toEqual([...ROUTES, ...PAGES].map(nameOf).sort());
});

describe("a caller is refused without waking an object or reading D1", () => {
  afterEach(() => expect(bindingUses).toEqual([]));

  it("if it sends no key", async () => {
    expect(await outcomesOf(ROUTES, own.id, {})).toEqual(expected(ROUTES, () => "key_missing"));
    expect(await outcomesOf(PAGES, own.id, {})).toEqual(expected(PAGES, withoutSession));
  });

  it.each<[string, () => string | Promise<string>]>([
    ["nonsense", () => "x"],
    ["the prefix of a key", () => "fg_"],
    ["a key with empty claims", () => "fg_e30.e30"],
    ["the operator key and one more character", () => `${OPERATOR_KEY}x`],
    ["the operator key without its first character", () => OPERATOR_KEY.slice(1)],
    ["a valid key in upper case", () => own.key.toUpperCase()],
    ["a valid key with the MAC of another", () => `${own.key.split(".")[0]}.${other.key.split(".")[1]}`],
    ["the token of a sign-in link", () => embedToken(own.id, { kind: "link" })],
    ["the token of a session", () => embedToken(own.id, { kind: "session" })],
  ])("if its key is %s", async (_, make) => {
    const headers = { ...bearer(await make()), Origin: EDITOR_ORIGIN };
    expect(await outcomesOf(ROUTES, own.id, headers)).toEqual(expected(ROUTES, () => "key_invalid"));
  });

  it("if its Authorization header is not a bearer token", async () => {
    for (const header of ["Basic dXNlcjpwYXNz", "Bearer", "Bearer a b", OPERATOR_KEY, `Token ${OPERATOR_KEY}`]) {
      const outcomes = await outcomesOf(ROUTES, own.id, { Authorization: header });
      expect(outcomes).toEqual(expected(ROUTES, () => "key_invalid"));
    }
  });

  it.each(["", " ", "signing-secret-of-the-test", "another"])(
    "if its key is signed with the secret '%s'",
    async (secret) => {
      const claims = { enterprise: own.id, region: "", id: "k1", scopes: [...SCOPES], expiresAtMs: null };
      const { key } = await mintKey(secret || "\u0000", claims);
      expect(await outcomesOf(ROUTES, own.id, bearer(key))).toEqual(expected(ROUTES, () => "key_invalid"));
    },
  );

  it("if any character of a valid key is changed, removed or doubled", async () => {
    const { key } = own;
    for (let at = 0; at < key.length; at++) {
      const [before, char, after] = [key.slice(0, at), key[at] as string, key.slice(at + 1)];
      for (const mutated of [char === "A" ? "B" : "A", char === "_" ? "-" : "_", ".", "", char + char]) {
        const forged = `${before}${mutated}${after}`;
        // Replacing a character by itself gives the same key.
        if (forged === key) continue;
        const outcome = await outcomeOf(ROUTES[0] as Route, own.id, bearer(forged));
        expect([forged, outcome]).toEqual([forged, "key_invalid"]);
      }
    }
  });

  it("if its key spells the same MAC differently", async () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(own.key.at(-1) as string);
    const sameBytes = [1, 2, 3].map((bits) => `${own.key.slice(0, -1)}${alphabet[last ^ bits]}`);
    for (const forged of [...sameBytes, `${own.key}=`, `${own.key}.`]) {
      expect(await outcomeOf(ROUTES[0] as Route, own.id, bearer(forged))).toBe("key_invalid");
    }
  });

  it("if its key or embed token has expired", async () => {
    const claims = { enterprise: own.id, region: "", id: "k1", scopes: [...SCOPES], expiresAtMs: Date.now() - 1 };
    const { key } = await mintKey(env.SIGNING_SECRET, claims);
    expect(await outcomesOf(ROUTES, own.id, bearer(key))).toEqual(expected(ROUTES, () => "key_expired"));
    const token = await embedToken(own.id, { expiresAtMs: Date.now() - 1 });
    const headers = { ...bearer(token), Origin: EDITOR_ORIGIN };
    expect(await outcomesOf(ROUTES, own.id, headers)).toEqual(expected(ROUTES, () => "key_expired"));
  });

  it.each(SCOPE_SETS.map((scopes) => [scopes.join("+"), scopes] as const))(
    "if its key of %s asks for another enterprise or needs another scope",
    async (_, scopes) => {
      const { key } = await mintKey(env.SIGNING_SECRET, {
        ...{ enterprise: own.id, region: "", id: "k1", expiresAtMs: null },
        scopes: [...scopes],
      });
      const tenantRoutes = ROUTES.filter(ofEnterprise);
      for (const e of [other.id, freshId()]) {
        expect(await outcomesOf(tenantRoutes, e, bearer(key))).toEqual(expected(tenantRoutes, withKey(scopes, false)));
      }
      const closed = ROUTES.filter((route) => withKey(scopes, true)(route) === "scope_denied");
      expect(await outcomesOf(closed, own.id, bearer(key))).toEqual(expected(closed, () => "scope_denied"));
    },
  );

  it("if its session is of another enterprise, or no session may call the route", async () => {
    for (const role of ["admin", "member"] as const) {
      const cookie = await sessionCookie(own.id, { role });
      const tenantRoutes = ROUTES.filter(ofEnterprise);
      expect(await outcomesOf(tenantRoutes, other.id, cookie)).toEqual(expected(tenantRoutes, withSession(false)));
      const closed = ROUTES.filter((route) => !openToSessions(route));
      expect(await outcomesOf(closed, own.id, cookie)).toEqual(expected(closed, () => "key_missing"));
    }
  });

  it("if its session has expired, was tampered with, or is another kind of token", async () => {
    const valid = await sessionCookie(own.id);
    const invalid = [
      await sessionCookie(own.id, { expiresAtMs: Date.now() - 1_000 }),
      await sessionCookie(own.id, { kind: "link" }),
      await sessionCookie(own.id, { kind: "embed" }),
      { Cookie: `${valid.Cookie}x` },
      { Cookie: valid.Cookie.replace("__Host-", "") },
      { Cookie: `__Host-fuelgauge=${own.key}` },
      { Cookie: `__Host-fuelgauge=${OPERATOR_KEY}` },
    ];
    for (const cookie of invalid) {
      expect(await outcomesOf(ROUTES, own.id, cookie)).toEqual(expected(ROUTES, () => "key_missing"));
      expect(await outcomesOf(PAGES, own.id, cookie)).toEqual(expected(PAGES, withoutSession));
    }
  });

  it("if a page of another origin uses its session, even one of the same site", async () => {
    const cookie = await sessionCookie(own.id);
    const refusal = (route: Route) => (openToSessions(route) ? "origin_not_allowed" : "key_missing");
    for (const origin of ["https://evil.example", "https://x.fuelgauge.test", "http://fuelgauge.test", "null"]) {
      expect(await outcomesOf(ROUTES, own.id, { ...cookie, Origin: origin })).toEqual(expected(ROUTES, refusal));
    }
  });

  it("if its embed token is used on another origin or for another enterprise", async () => {
    const token = bearer(await embedToken(own.id));
    for (const origin of [
      "https://evil.example",
      "http://editor.example",
      `${EDITOR_ORIGIN}:8443`,
      `${EDITOR_ORIGIN}/`,
      "null",
      "",
    ]) {
      const outcomes = await outcomesOf(ROUTES, own.id, { ...token, Origin: origin });
      expect(outcomes).toEqual(expected(ROUTES, withEmbedToken(true, false)));
    }
    expect(await outcomesOf(ROUTES, own.id, token)).toEqual(expected(ROUTES, withEmbedToken(true, false)));
    const right = { ...token, Origin: EDITOR_ORIGIN };
    expect(await outcomesOf(ROUTES, other.id, right)).toEqual(expected(ROUTES, withEmbedToken(false, true)));
  });

  it("if it sends a key or embed token to a page instead of a session", async () => {
    for (const token of [OPERATOR_KEY, own.key, await embedToken(own.id)]) {
      const outcomes = await outcomesOf(PAGES, own.id, { ...bearer(token), Origin: EDITOR_ORIGIN });
      // The two forms that need no session refuse another origin.
      const refusal = (page: Page) =>
        page.path === "/demo/signin" || /^POST .*\/(signin|confirm-email)$/.test(nameOf(page))
          ? "csrf_failed"
          : page.stranger;
      expect(outcomes).toEqual(expected(PAGES, refusal));
    }
  });
});

describe("a caller may use exactly the routes it is meant for", () => {
  it("all, as the operator", async () => {
    expect(await outcomesOf(ROUTES, own.id, bearer(OPERATOR_KEY))).toEqual(expected(ROUTES, admitted));
    expect(bindingUses).not.toEqual([]);
  });

  it.each(SCOPE_SETS.map((scopes) => [scopes.join("+"), scopes] as const))(
    "those of its scopes, with a key of %s",
    async (_, scopes) => {
      const { key } = await own.createKey([...scopes]);
      expect(await outcomesOf(ROUTES, own.id, bearer(key))).toEqual(expected(ROUTES, withKey(scopes, true)));
    },
  );

  it("none, with a revoked key, once the object is asked", async () => {
    const { id, key } = await own.createKey([...SCOPES]);
    await operator("DELETE", `${own.path}/keys/${id}`);
    const outcomes = await outcomesOf(ROUTES, own.id, bearer(key));
    // A missing body is refused before the object is asked, so these routes answer 422 ("in").
    const refusal = ({ needs, body }: Route) =>
      needs === "operator" ? "scope_denied" : body === undefined ? "key_revoked" : "in";
    expect(outcomes).toEqual(expected(ROUTES, refusal));
  });

  it("none, with a correctly signed key that its enterprise never made", async () => {
    const { key } = await mintKey(env.SIGNING_SECRET, {
      ...{ enterprise: own.id, region: "", id: "k1", expiresAtMs: null },
      scopes: [...SCOPES],
    });
    const readers = ROUTES.filter(({ needs, body }) => needs === "read" && body === undefined);
    expect(await outcomesOf(readers, own.id, bearer(key))).toEqual(expected(readers, () => "key_invalid"));
  });

  it("its pages and what a read key may read, with a session", async () => {
    for (const role of ["admin", "member"] as const) {
      const cookie = await sessionCookie(own.id, { role });
      const outcome = ({ session, member = session }: Page) => (role === "member" ? member : session);
      for (const headers of [cookie, { ...cookie, Origin: HOST }]) {
        expect(await outcomesOf(ROUTES, own.id, headers)).toEqual(expected(ROUTES, withSession(true)));
      }
      expect(await outcomesOf(PAGES, own.id, cookie)).toEqual(expected(PAGES, outcome));
    }
  });

  it("the gauge and its socket, with an embed token on its origin", async () => {
    const headers = { ...bearer(await embedToken(own.id)), Origin: EDITOR_ORIGIN };
    expect(await outcomesOf(ROUTES, own.id, headers)).toEqual(expected(ROUTES, withEmbedToken(true, true)));
  });
});
