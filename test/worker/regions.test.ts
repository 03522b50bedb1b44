/**
 * Enterprises in regions, end to end. The development runtime has no jurisdictions, so here a jurisdiction is part of the
 * object's name; a deployment uses the platform's jurisdictions, which the last tests imitate.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { mintKey } from "../../src/access/keys.ts";
import { findAddress, objectAt } from "../../src/catalog/addresses.ts";
import { catalogOf } from "../../src/catalog/object.ts";
import { LOCATION_HINTS, REGIONS } from "../../src/ledger/regions.ts";
import {
  CREDIT,
  costing,
  expectProblem,
  freshId,
  invalidPaths,
  newEnterprise,
  objectOf,
  operator,
  senderWith,
  start,
} from "./api.ts";
import { bearer, openSocket } from "./open-socket.ts";
import { EDITOR_ORIGIN, embedToken, sessionCookie } from "./sessions.ts";

const SETTINGS = { name: "Acme", billing_model: "credits", plan: "pro" };
const exists = (object: ReturnType<typeof objectOf>) =>
  runInDurableObject(
    object,
    (_, { storage }) => storage.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'enterprise'").toArray().length > 0,
  );

describe.each(REGIONS)("an enterprise in %s", (region) => {
  it("is charged, read, watched, granted to and audited like any other", async () => {
    const e = await newEnterprise({ region });
    expect((await operator("GET", e.path)).body).toMatchObject({ id: e.id, region });
    expect((await e.put({ name: "Acme 2" })).body).toMatchObject({ name: "Acme 2", region });
    expect((await e.put({ region })).status).toBe(200);
    expect((await e.put({ region: null })).body.region).toBe(region);
    expect((await e.start(start({ hold_micros: CREDIT }))).status).toBe(201);
    expect((await e.debit(costing(2))).body).toMatchObject({ charged_micros: 2 * CREDIT });
    expect((await e.grant({ id: "g" })).status).toBe(201);
    expect(await e.gauge()).toMatchObject({ used_micros: 2 * CREDIT, bonus: { remaining_micros: 100 * CREDIT } });
    const watching = await openSocket(`${e.path}/live`, bearer(e.key));
    expect(await watching.next()).toMatchObject({ enterprise: e.id, used_micros: 2 * CREDIT });
    const stream = await openSocket(`${e.path}/debits/stream`, bearer(e.key));
    stream.socket?.send(JSON.stringify({ id: 1, ...costing(3) }));
    expect(await stream.next()).toMatchObject({ id: 1, charged_micros: CREDIT });
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    expect((await e.get("runs")).rows).toMatchObject([{ run: "run-1", charged_micros: 3 * CREDIT }]);
    expect((await e.audit()).ok).toBe(true);
    expect((await operator("GET", "/v1/enterprises?limit=1")).body.rows).toMatchObject([{ id: e.id, region }]);
  });
});

describe.each(["eu", "us"] as const)("the jurisdiction %s", (region) => {
  it("has its own object, and no other object of that name exists", async () => {
    const e = await newEnterprise({ region });
    const other = region === "eu" ? "us" : "eu";
    const [own, none, foreign] = [region, "", other].map((place) => objectAt(env, { enterprise: e.id, region: place }));
    expect(new Set([own, none, foreign].map((object) => String(object?.id))).size).toBe(3);
    expect(await exists(own as ReturnType<typeof objectOf>)).toBe(true);
    expect(await exists(none as ReturnType<typeof objectOf>)).toBe(false);
    expect(await exists(foreign as ReturnType<typeof objectOf>)).toBe(false);
  });

  it("is what sessions, embed tokens and sign-in links lead to", async () => {
    const e = await newEnterprise({ region });
    await e.debit(costing(2));
    const stranger = senderWith(null);
    const cookie = await sessionCookie(e.id, { region });
    expect((await stranger("GET", `${e.path}/gauge`, undefined, { headers: cookie })).body).toMatchObject({
      enterprise: e.id,
    });
    expect((await stranger("GET", "/settings/usage", undefined, { headers: cookie })).status).toBe(200);
    const token = await operator("POST", `${e.path}/embed-tokens`, {
      user: "u",
      role: "member",
      origin: EDITOR_ORIGIN,
    });
    const embedded = { Authorization: `Bearer ${token.body.token}`, Origin: EDITOR_ORIGIN };
    expect((await stranger("GET", `${e.path}/gauge`, undefined, { headers: embedded })).status).toBe(200);
    const link = await operator("POST", `${e.path}/sessions`, { user: "ada", role: "admin" });
    const body = new URLSearchParams({ token: new URL(link.body.url).searchParams.get("token") ?? "" });
    const form = { redirect: "manual" as const, headers: { "Content-Type": "application/x-www-form-urlencoded" } };
    const signedIn = await stranger("POST", "/signin", String(body), form);
    expect(signedIn.status).toBe(303);
    const session = { Cookie: signedIn.headers.get("Set-Cookie")?.split(";")[0] ?? "" };
    expect((await stranger("GET", `${e.path}/gauge`, undefined, { headers: session })).body).toMatchObject({
      enterprise: e.id,
    });
  });

  it("is not reached with claims of another region", async () => {
    const e = await newEnterprise({ region });
    const claims = { enterprise: e.id, id: "k", scopes: ["debit" as const, "read" as const], expiresAtMs: null };
    const { key } = await mintKey(env.SIGNING_SECRET, { ...claims, region: "" });
    expectProblem(await senderWith(key)("GET", `${e.path}/gauge`), 404, "not_found");
    const headers = { Authorization: `Bearer ${await embedToken(e.id)}`, Origin: EDITOR_ORIGIN };
    expectProblem(await senderWith(null)("GET", `${e.path}/gauge`, undefined, { headers }), 404, "not_found");
  });

  it("keeps an enterprise: another region at an update or a second creation is refused and creates nothing", async () => {
    const e = await newEnterprise({ region });
    for (const other of REGIONS.filter((name) => name !== region)) {
      expect(invalidPaths(await e.put({ region: other }))).toEqual(["region"]);
    }
    expect(await exists(objectOf(e.id))).toBe(false);
  });

  it("takes part in referrals, in both directions", async () => {
    const [here, elsewhere] = [await newEnterprise({ region }), await newEnterprise()];
    const codeOf = async (path: string) => (await operator("GET", path)).body.referral_code;
    const refer = async (code: string, referee: string) => operator("POST", "/v1/referrals", { code, referee });
    expect((await refer(await codeOf(here.path), elsewhere.id)).status).toBe(201);
    expect((await refer(await codeOf(elsewhere.path), here.id)).status).toBe(201);
    for (const e of [here, elsewhere])
      expect(await e.gauge()).toMatchObject({ bonus: { remaining_micros: 200 * CREDIT } });
  });
});

it("refuses to give a region-less enterprise a region, and one hint another", async () => {
  const e = await newEnterprise();
  expect((await operator("GET", e.path)).body.region).toBe(null);
  expect((await e.put({ region: null })).body.region).toBe(null);
  for (const region of REGIONS) expect(invalidPaths(await e.put({ region }))).toEqual(["region"]);
  const hinted = await newEnterprise({ region: "weur" });
  for (const region of LOCATION_HINTS.slice(0, 3))
    expect(invalidPaths(await hinted.put({ region }))).toEqual(["region"]);
  expect(invalidPaths(await operator("PUT", `/v1/enterprises/${freshId()}`, { ...SETTINGS, region: "mars" }))).toEqual([
    "region",
  ]);
});

it("creates one enterprise when two requests name two regions at once", async () => {
  const id = freshId();
  const put = (region: string) => operator("PUT", `/v1/enterprises/${id}`, { ...SETTINGS, region });
  const answers = await Promise.all(["eu", "us", "eu", "us"].map(put));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 422)).toHaveLength(2);
  const regions = await Promise.all(
    ["eu", "us", ""].map((region) => exists(objectAt(env, { enterprise: id, region }))),
  );
  expect(regions.filter(Boolean)).toHaveLength(1);
});

it("wakes no object for an enterprise that was never created", async () => {
  const id = freshId();
  for (const [method, rest, sent] of [
    ["GET", "", undefined],
    ["GET", "/gauge", undefined],
    ["POST", "/grants", { id: "g", amount_micros: 1, source: "promotion" }],
    ["POST", "/keys", { name: "k", scopes: ["read"] }],
  ] as const) {
    expectProblem(await operator(method, `/v1/enterprises/${id}${rest}`, sent), 404, "not_found");
  }
  expect(await findAddress(env, id)).toBe(null);
  expect(await catalogOf(env).placeOf(id)).toBe(null);
});

it("opens a key of the last release, which names no region", async () => {
  const e = await newEnterprise();
  expect((await e.agent("GET", `${e.path}/gauge`)).status).toBe(200);
  expect(await findAddress(env, e.id)).toEqual({ enterprise: e.id, region: "", shard: "DB" });
});

describe("in a deployment, whose regions are not simulated", () => {
  const change = (values: Record<string, unknown>) => Object.assign(env, values);
  const deployed = async (namespace: unknown, extra: Record<string, unknown>, act: () => Promise<void>) => {
    const { ENTERPRISE, SIMULATE_REGIONS, DB_EU } = env as unknown as Record<string, unknown>;
    change({ SIMULATE_REGIONS: undefined, ENTERPRISE: namespace, DB_EU: undefined, ...extra });
    try {
      await act();
    } finally {
      change({ SIMULATE_REGIONS, ENTERPRISE, DB_EU });
    }
  };
  const put = (id: string, region?: string) => operator("PUT", `/v1/enterprises/${id}`, { ...SETTINGS, region });

  it("refuses a jurisdiction without a database, and places nothing", async () => {
    const id = freshId();
    await deployed(
      {
        ...env.ENTERPRISE,
        jurisdiction: () => env.ENTERPRISE,
        getByName: env.ENTERPRISE.getByName.bind(env.ENTERPRISE),
      },
      {},
      async () => {
        expectProblem(await put(id, "eu"), 422, "region_unavailable");
      },
    );
    expect(await catalogOf(env).placeOf(id)).toBe(null);
  });

  it("refuses a jurisdiction that the platform does not have, even with a database", async () => {
    const id = freshId();
    // The development runtime throws here.
    expect(() => env.ENTERPRISE.jurisdiction("eu")).toThrow();
    await deployed(env.ENTERPRISE, { DB_EU: env.DB }, async () => {
      expectProblem(await put(id, "eu"), 422, "region_unavailable");
      expect(() => objectAt(env, { enterprise: id, region: "eu" })).toThrow();
      expect(() => objectAt(env, { enterprise: id, region: "mars" })).toThrow();
    });
    expect(await catalogOf(env).placeOf(id)).toBe(null);
  });

  it("asks the platform for the object of the jurisdiction, and for a place near the hint", async () => {
    const asked: unknown[] = [];
    const real = env.ENTERPRISE;
    const getByName = (jurisdiction: string) => (name: string, options: unknown) => {
      asked.push([jurisdiction, name, options]);
      return real.getByName(jurisdiction + name);
    };
    const namespace = { jurisdiction: (name: string) => ({ getByName: getByName(name) }), getByName: getByName("") };
    const [eu, hinted] = [freshId(), freshId()];
    await deployed(namespace, { DB_EU: env.DB }, async () => {
      expect((await put(eu, "eu")).status).toBe(201);
      expect((await put(hinted, "apac")).status).toBe(201);
      expect((await operator("GET", `/v1/enterprises/${eu}`)).body.region).toBe("eu");
    });
    expect(asked).toEqual([
      ["eu", eu, undefined],
      ["", hinted, { locationHint: "apac" }],
      ["eu", eu, undefined],
    ]);
  });
});
