// Who gets through which door: every route that the router has, against every kind of caller. What is expected comes
// from the table of routes and one line for each caller; who is turned away wakes no object and reads no D1, counted.
import { env, exports } from "cloudflare:workers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { mintKey } from "../../src/access/keys.ts";
import { mintToken, type TokenClaims } from "../../src/access/tokens.ts";
import { app } from "../../src/app.tsx";
import { costing, type Enterprise, freshId, newEnterprise, OPERATOR_KEY, operator } from "./api.ts";
import { nameOf, PAGES, type Page, pathOf, ROUTES, type Route } from "./routes.ts";

const SCOPES = ["debit", "read", "admin"] as const;
const SCOPE_SETS = [1, 2, 3, 4, 5, 6, 7].map((bits) => SCOPES.filter((_, i) => bits & (1 << i)));
const ORIGIN = "https://editor.example";
const HOST = "https://fuelgauge.test";
const FAR_MS = Date.UTC(2099, 0);

type Headers_ = Record<string, string>;

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

/** What was asked of the objects and of D1 since a test began. */
let touched: string[] = [];
const bindings = { ENTERPRISE: env.ENTERPRISE, CATALOG: env.CATALOG, DB: env.DB };
beforeAll(() => {
  for (const [name, binding] of Object.entries(bindings)) Object.assign(env, { [name]: watched(name, binding) });
});
afterAll(() => Object.assign(env, bindings));
beforeEach(() => {
  touched = [];
});

function watched(name: string, binding: object): object {
  return new Proxy(binding, {
    get: (target, property) => {
      touched.push(`${name}.${String(property)}`);
      const value = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** What the door said: a code, "in", or for a page that leads a stranger away "out". */
async function doorOf({ method, path }: Route | Page, e: string, headers: Headers_): Promise<string> {
  const socket = /\/(live|stream)$/.test(path) ? { Upgrade: "websocket" } : {};
  const url = `${HOST}${pathOf({ path }, { e, run: "run-1", id: "g" })}`;
  const response = await exports.default.fetch(url, { method, redirect: "manual", headers: { ...socket, ...headers } });
  response.webSocket?.accept();
  response.webSocket?.close();
  if (response.webSocket !== null) return "in";
  const ledTo = response.headers.get("Location") ?? "";
  if (response.status === 303 && (ledTo === "/" || ledTo.startsWith("/operator/signin"))) return "out";
  const body = await response.text();
  if (![401, 403, 404, 410].includes(response.status)) return "in";
  expect(response.headers.get("Content-Type")).toBe("application/problem+json");
  if (response.status === 401) expect(response.headers.get("WWW-Authenticate")).toBe("Bearer");
  return JSON.parse(body).code;
}

async function doorsOf(routes: readonly (Route | Page)[], e: string, headers: Headers_) {
  const doors: Record<string, string> = {};
  for (const route of routes) doors[nameOf(route)] = await doorOf(route, e, headers);
  return doors;
}

const expected = <R extends Route | Page>(routes: readonly R[], say: (route: R) => string) =>
  Object.fromEntries(routes.map((route) => [nameOf(route), say(route)]));

// What the contract says, for each kind of caller.

const bearer = (token: string): Headers_ => ({ Authorization: `Bearer ${token}` });
const inside = ({ mayBeMissing }: Route): string => (mayBeMissing ? "not_found" : "in");
const foreign = ({ path }: Route) => path.includes("{e}");

function ofKey(scopes: readonly string[], isOwn: boolean) {
  return (route: Route): string => {
    if (!isOwn && foreign(route)) return "not_found";
    const { needs } = route;
    const fits = needs === "any key" || scopes.includes(needs) || (needs === "read" && scopes.includes("admin"));
    return fits ? inside(route) : "scope_denied";
  };
}

/** A session reads what readers read, of its own enterprise, and the price book; every write wants a key. */
const forSessions = ({ method, needs }: Route) => method === "GET" && (needs === "read" || needs === "any key");

const ofSession =
  (isOwn: boolean) =>
  (route: Route): string => {
    if (!forSessions(route)) return "key_missing";
    return isOwn || !foreign(route) ? inside(route) : "not_found";
  };

const ofEmbed =
  (isOwn: boolean, rightOrigin: boolean) =>
  (route: Route): string => {
    if (!rightOrigin) return "origin_not_allowed";
    if (!isOwn && foreign(route)) return "not_found";
    return route.embed === true ? inside(route) : "scope_denied";
  };

const stranger = ({ stranger: said }: Page) => said;

async function sessionOf(e: string, role: "admin" | "member", more: Partial<TokenClaims> = {}): Promise<Headers_> {
  const claims = {
    kind: "session",
    enterprise: e,
    user: "u1",
    role,
    id: "s1",
    origin: "",
    expiresAtMs: FAR_MS,
  } as const;
  return { Cookie: `__Host-fuelgauge=${await mintToken(env.SIGNING_SECRET, { ...claims, ...more })}` };
}

async function embedOf(e: string, more: Partial<TokenClaims> = {}): Promise<string> {
  const claims = { kind: "embed", enterprise: e, user: "u1", role: "admin", id: "t1", origin: ORIGIN } as const;
  return mintToken(env.SIGNING_SECRET, { ...claims, expiresAtMs: FAR_MS, ...more });
}

it("stands in the table, whatever the router serves", () => {
  const served = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  expect([...new Set(served)].sort()).toEqual([...ROUTES, ...PAGES].map(nameOf).sort());
});

describe("a caller who is turned away wakes no object and reads no D1:", () => {
  afterEach(() => expect(touched).toEqual([]));

  it("without a key", async () => {
    expect(await doorsOf(ROUTES, own.id, {})).toEqual(expected(ROUTES, () => "key_missing"));
    expect(await doorsOf(PAGES, own.id, {})).toEqual(expected(PAGES, stranger));
  });

  it.each<[string, () => string | Promise<string>]>([
    ["nonsense", () => "x"],
    ["the beginning of a key", () => "fg_"],
    ["a key of nothing", () => "fg_e30.e30"],
    ["the operator's key and one letter more", () => `${OPERATOR_KEY}x`],
    ["the operator's key less a letter", () => OPERATOR_KEY.slice(1)],
    ["a true key in another case", () => own.key.toUpperCase()],
    ["a true key with another's MAC", () => `${own.key.split(".")[0]}.${other.key.split(".")[1]}`],
    ["a sign-in link's token", () => embedOf(own.id, { kind: "link" })],
    ["a session's token", () => embedOf(own.id, { kind: "session" })],
  ])("with %s", async (_, make) => {
    const headers = { ...bearer(await make()), Origin: ORIGIN };
    expect(await doorsOf(ROUTES, own.id, headers)).toEqual(expected(ROUTES, () => "key_invalid"));
  });

  it("with what is no bearer", async () => {
    for (const header of ["Basic dXNlcjpwYXNz", "Bearer", "Bearer a b", OPERATOR_KEY, `Token ${OPERATOR_KEY}`]) {
      const doors = await doorsOf(ROUTES, own.id, { Authorization: header });
      expect(doors).toEqual(expected(ROUTES, () => "key_invalid"));
    }
  });

  it.each(["", " ", "signing-secret-of-the-test", "another"])(
    "with a key made under the secret '%s'",
    async (secret) => {
      const claims = { enterprise: own.id, id: "k1", scopes: [...SCOPES], expiresAtMs: null };
      const { key } = await mintKey(secret || "\u0000", claims);
      expect(await doorsOf(ROUTES, own.id, bearer(key))).toEqual(expected(ROUTES, () => "key_invalid"));
    },
  );

  it("with a true key of which any letter was changed, left out or doubled", async () => {
    const { key } = own;
    for (let at = 0; at < key.length; at++) {
      const [before, letter, after] = [key.slice(0, at), key[at] as string, key.slice(at + 1)];
      for (const mutated of [letter === "A" ? "B" : "A", letter === "_" ? "-" : "_", ".", "", letter + letter]) {
        const forged = `${before}${mutated}${after}`;
        // A letter beside its double, and a dot beside a dot, make the same key again.
        if (forged === key) continue;
        const door = await doorOf(ROUTES[0] as Route, own.id, bearer(forged));
        expect([forged, door]).toEqual([forged, "key_invalid"]);
      }
    }
  });

  it("with another spelling of the same MAC", async () => {
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const lastLetter = letters.indexOf(own.key.at(-1) as string);
    const sameBytes = [1, 2, 3].map((bits) => `${own.key.slice(0, -1)}${letters[lastLetter ^ bits]}`);
    for (const forged of [...sameBytes, `${own.key}=`, `${own.key}.`]) {
      expect(await doorOf(ROUTES[0] as Route, own.id, bearer(forged))).toBe("key_invalid");
    }
  });

  it("with a key or an embed token that has expired", async () => {
    const claims = { enterprise: own.id, id: "k1", scopes: [...SCOPES], expiresAtMs: Date.now() - 1 };
    const { key } = await mintKey(env.SIGNING_SECRET, claims);
    expect(await doorsOf(ROUTES, own.id, bearer(key))).toEqual(expected(ROUTES, () => "key_expired"));
    const token = await embedOf(own.id, { expiresAtMs: Date.now() - 1 });
    const headers = { ...bearer(token), Origin: ORIGIN };
    expect(await doorsOf(ROUTES, own.id, headers)).toEqual(expected(ROUTES, () => "key_expired"));
  });

  it.each(SCOPE_SETS.map((scopes) => [scopes.join("+"), scopes] as const))(
    "with a key of %s, where another enterprise's path or another scope is asked for",
    async (_, scopes) => {
      const { key } = await mintKey(env.SIGNING_SECRET, {
        ...{ enterprise: own.id, id: "k1", expiresAtMs: null },
        scopes: [...scopes],
      });
      const abroad = ROUTES.filter(foreign);
      for (const e of [other.id, freshId()]) {
        expect(await doorsOf(abroad, e, bearer(key))).toEqual(expected(abroad, ofKey(scopes, false)));
      }
      const closed = ROUTES.filter((route) => ofKey(scopes, true)(route) === "scope_denied");
      expect(await doorsOf(closed, own.id, bearer(key))).toEqual(expected(closed, () => "scope_denied"));
    },
  );

  it("with a session of another enterprise, or for what no session may", async () => {
    for (const role of ["admin", "member"] as const) {
      const cookie = await sessionOf(own.id, role);
      const abroad = ROUTES.filter(foreign);
      expect(await doorsOf(abroad, other.id, cookie)).toEqual(expected(abroad, ofSession(false)));
      const closed = ROUTES.filter((route) => !forSessions(route));
      expect(await doorsOf(closed, own.id, cookie)).toEqual(expected(closed, () => "key_missing"));
    }
  });

  it("with a session that has ended, was tampered with, or is a token of another kind", async () => {
    const good = await sessionOf(own.id, "admin");
    const strangers = [
      await sessionOf(own.id, "admin", { expiresAtMs: Date.now() - 1_000 }),
      await sessionOf(own.id, "admin", { kind: "link" }),
      await sessionOf(own.id, "admin", { kind: "embed" }),
      { Cookie: `${good.Cookie}x` },
      { Cookie: `${good.Cookie}`.replace("__Host-", "") },
      { Cookie: `__Host-fuelgauge=${own.key}` },
      { Cookie: `__Host-fuelgauge=${OPERATOR_KEY}` },
    ];
    for (const cookie of strangers) {
      expect(await doorsOf(ROUTES, own.id, cookie)).toEqual(expected(ROUTES, () => "key_missing"));
      expect(await doorsOf(PAGES, own.id, cookie)).toEqual(expected(PAGES, stranger));
    }
  });

  it("with a session, asked by a page of another origin, be it of the same site", async () => {
    const cookie = await sessionOf(own.id, "admin");
    const said = (route: Route) => (forSessions(route) ? "origin_not_allowed" : "key_missing");
    for (const origin of ["https://evil.example", "https://x.fuelgauge.test", "http://fuelgauge.test", "null"]) {
      expect(await doorsOf(ROUTES, own.id, { ...cookie, Origin: origin })).toEqual(expected(ROUTES, said));
    }
  });

  it("with an embed token on another origin, or for another enterprise", async () => {
    const token = bearer(await embedOf(own.id));
    for (const origin of [
      "https://evil.example",
      "http://editor.example",
      `${ORIGIN}:8443`,
      `${ORIGIN}/`,
      "null",
      "",
    ]) {
      const doors = await doorsOf(ROUTES, own.id, { ...token, Origin: origin });
      expect(doors).toEqual(expected(ROUTES, ofEmbed(true, false)));
    }
    expect(await doorsOf(ROUTES, own.id, token)).toEqual(expected(ROUTES, ofEmbed(true, false)));
    const right = { ...token, Origin: ORIGIN };
    expect(await doorsOf(ROUTES, other.id, right)).toEqual(expected(ROUTES, ofEmbed(false, true)));
  });

  it("with any key, on a page", async () => {
    for (const token of [OPERATOR_KEY, own.key, await embedOf(own.id)]) {
      const doors = await doorsOf(PAGES, own.id, { ...bearer(token), Origin: ORIGIN });
      // A foreign origin is refused where a stranger's own form is taken.
      const said = (page: Page) =>
        page.path === "/demo/signin" || /^POST .*\/signin$/.test(nameOf(page)) ? "csrf_failed" : page.stranger;
      expect(doors).toEqual(expected(PAGES, said));
    }
  });
});

describe("a caller who may enters, and no further:", () => {
  it("the operator, everywhere", async () => {
    expect(await doorsOf(ROUTES, own.id, bearer(OPERATOR_KEY))).toEqual(expected(ROUTES, inside));
    expect(touched).not.toEqual([]);
  });

  it.each(SCOPE_SETS.map((scopes) => [scopes.join("+"), scopes] as const))("a key of %s", async (_, scopes) => {
    const { key } = await own.keyOf([...scopes]);
    expect(await doorsOf(ROUTES, own.id, bearer(key))).toEqual(expected(ROUTES, ofKey(scopes, true)));
  });

  it("a key that was revoked, up to the object that knows it", async () => {
    const { id, key } = await own.keyOf([...SCOPES]);
    await operator("DELETE", `${own.path}/keys/${id}`);
    const doors = await doorsOf(ROUTES, own.id, bearer(key));
    // Bodies are checked before the object is asked, and there are none here.
    const said = ({ needs, body }: Route) =>
      needs === "operator" ? "scope_denied" : body === undefined ? "key_revoked" : "in";
    expect(doors).toEqual(expected(ROUTES, said));
  });

  it("a key with a true MAC that its enterprise never made, as little", async () => {
    const { key } = await mintKey(env.SIGNING_SECRET, {
      ...{ enterprise: own.id, id: "k1", expiresAtMs: null },
      scopes: [...SCOPES],
    });
    const readers = ROUTES.filter(({ needs, body }) => needs === "read" && body === undefined);
    expect(await doorsOf(readers, own.id, bearer(key))).toEqual(expected(readers, () => "key_invalid"));
  });

  it("a session, to its own pages and to what readers read", async () => {
    for (const role of ["admin", "member"] as const) {
      const cookie = await sessionOf(own.id, role);
      for (const headers of [cookie, { ...cookie, Origin: HOST }]) {
        expect(await doorsOf(ROUTES, own.id, headers)).toEqual(expected(ROUTES, ofSession(true)));
      }
      expect(await doorsOf(PAGES, own.id, cookie)).toEqual(expected(PAGES, ({ session }) => session));
    }
  });

  it("an embed token on its origin, to the gauge and its socket", async () => {
    const headers = { ...bearer(await embedOf(own.id)), Origin: ORIGIN };
    expect(await doorsOf(ROUTES, own.id, headers)).toEqual(expected(ROUTES, ofEmbed(true, true)));
  });
});
