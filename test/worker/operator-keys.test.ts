// Operator keys with scopes: how they are made, listed and revoked, and what each scope may call. The table of access
// is made from the answers of every route.
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { OPERATOR_SCOPES } from "../../src/access/callers.ts";
import { mintOperatorKey } from "../../src/access/operator-key.ts";
import {
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  invalidPaths,
  newEnterprise,
  operator,
  senderWith,
} from "./api.ts";
import { nameOf, pathOf, ROUTES, type Route } from "./routes.ts";
import { EDITOR_ORIGIN, embedToken, sessionCookie } from "./sessions.ts";

const PATH = "/v1/operator-keys";
const HOUR_MS = 3_600_000;

let acme: Enterprise;
beforeAll(async () => {
  acme = await newEnterprise();
  await acme.debit(costing(1));
});

async function makeKey(scopes: readonly string[], more: object = {}) {
  const made = await operator("POST", PATH, { name: scopes.join(" and "), scopes, ...more });
  expect(made.status).toBe(201);
  return { ...(made.body as { id: string; key: string }), send: senderWith(made.body.key) };
}
const listed = async (id: string) =>
  (await operator("GET", PATH)).body.rows.find((row: { id: string }) => row.id === id);

describe("an operator key", () => {
  it("is shown once, and listed without its secret", async () => {
    const made = await operator("POST", PATH, { name: "prometheus", scopes: ["metrics"] });
    expect([made.status, made.body]).toEqual([201, { id: expect.any(String), key: expect.stringMatching(/^fgo_/) }]);
    const page = await operator("GET", PATH);
    expect(page.text).not.toContain(made.body.key);
    expect(page.body.rows[0]).toEqual({
      id: made.body.id,
      name: "prometheus",
      scopes: ["metrics"],
      created_at: expect.any(String),
      expires_at: null,
      revoked_at: null,
      last_used_at: null,
      signed_with: "current",
    });
  });

  it("notes its use to the hour", async () => {
    const { id, send } = await makeKey(["metrics"]);
    await send("GET", "/v1/plans");
    const { last_used_at } = await listed(id);
    expect(Date.parse(last_used_at) % HOUR_MS).toBe(0);
    expect(Date.now() - Date.parse(last_used_at)).toBeLessThan(2 * HOUR_MS);
  });

  it("stops working with the next call once it is revoked", async () => {
    const { id, send } = await makeKey(["metrics"]);
    expect((await send("GET", "/v1/plans")).status).toBe(200);
    expect((await operator("DELETE", `${PATH}/${id}`)).status).toBe(204);
    expectProblem(await send("GET", "/v1/plans"), 401, "key_revoked");
    expect((await listed(id)).revoked_at).not.toBeNull();
    expectProblem(await operator("DELETE", `${PATH}/nothing`), 404, "not_found");
  });

  it("expires", async () => {
    const expires_at = new Date(Date.now() - 1_000).toISOString();
    const refused = await operator("POST", PATH, { name: "old", scopes: ["metrics"], expires_at });
    expect(invalidPaths(refused)).toEqual(["expires_at"]);
    const claims = { id: "k", scopes: ["metrics"], expiresAtMs: Date.now() - 1 } as const;
    const { key } = await mintOperatorKey(env.SIGNING_SECRET, claims);
    expectProblem(await senderWith(key)("GET", "/v1/plans"), 401, "key_expired");
  });

  it("is refused if the catalog does not know it, or if its text was changed", async () => {
    const claims = { id: "k", scopes: ["metrics"], expiresAtMs: null } as const;
    const unknown = await mintOperatorKey(env.SIGNING_SECRET, claims);
    expectProblem(await senderWith(unknown.key)("GET", "/v1/plans"), 401, "key_invalid");
    const { key } = await makeKey(["metrics"]);
    for (const forged of [`${key}x`, key.slice(0, -2), key.replace("fgo_", "fg_"), key.toUpperCase()]) {
      expectProblem(await senderWith(forged)("GET", "/v1/plans"), 401, "key_invalid");
    }
  });

  it("needs a scope, and only scopes that exist", async () => {
    for (const scopes of [[], ["debit"], ["admin"], ["metrics", "metrics"], "metrics", undefined]) {
      const refused = await operator("POST", PATH, { name: "x", scopes });
      expect(invalidPaths(refused)[0]).toMatch(/^scopes/);
    }
  });

  it("names itself in the journal", async () => {
    const e = await newEnterprise();
    const { id, send } = await makeKey(["grants", "enterprises"]);
    await send("POST", `${e.path}/grants`, { id: "g", amount_micros: CREDIT, source: "goodwill" });
    await send("PUT", e.path, { plan: "team" });
    const by = (await e.entries()).map((entry) => [entry.type, entry.by]);
    expect(by).toContainEqual(["grant_added", `operator-key:${id}`]);
    expect(by).toContainEqual(["plan_changed", `operator-key:${id}`]);
  });
});

describe("what needs more than the scope of its route", () => {
  it("is the price multiplier, which needs prices", async () => {
    const e = await newEnterprise();
    const support = await makeKey(["enterprises"]);
    expectProblem(await support.send("PUT", e.path, { name: "B", price_multiplier: "2" }), 403, "scope_denied");
    expectProblem(await support.send("PUT", e.path, { price_multiplier: null }), 403, "scope_denied");
    expect((await operator("GET", e.path)).body).toMatchObject({ name: "Acme", price_multiplier: "1" });
    expect((await support.send("PUT", e.path, { name: "B" })).status).toBe(200);
    const sales = await makeKey(["enterprises", "prices"]);
    expect((await sales.send("PUT", e.path, { price_multiplier: "2" })).body.price_multiplier).toBe("2");
  });

  it("are admin keys, which need OPERATOR_KEY", async () => {
    const { send } = await makeKey(["keys"]);
    const make = (scopes: string[]) => send("POST", `${acme.path}/keys`, { name: "agents", scopes });
    expectProblem(await make(["admin"]), 403, "scope_denied");
    expectProblem(await make(["debit", "admin"]), 403, "scope_denied");
    expect((await make(["debit", "read"])).status).toBe(201);
    const admin = await acme.createKey(["admin"]);
    const reader = await acme.createKey(["read"]);
    expectProblem(await send("DELETE", `${acme.path}/keys/${admin.id}`), 403, "scope_denied");
    expect((await send("DELETE", `${acme.path}/keys/${reader.id}`)).status).toBe(204);
  });

  it("are operator keys, which no scope can make, list or revoke", async () => {
    const { id, send } = await makeKey(OPERATOR_SCOPES);
    expectProblem(await send("POST", PATH, { name: "x", scopes: ["metrics"] }), 403, "scope_denied");
    expectProblem(await send("GET", PATH), 403, "scope_denied");
    expectProblem(await send("DELETE", `${PATH}/${id}`), 403, "scope_denied");
  });

  it("are debits, which no scope permits", async () => {
    const { send } = await makeKey(OPERATOR_SCOPES);
    for (const route of ROUTES.filter(({ needs }) => needs === "debit")) {
      const socket = route.path.endsWith("/stream") ? { headers: { Upgrade: "websocket" } } : {};
      const path = pathOf(route, { e: acme.id, run: "run-1", id: "g" });
      expectProblem(await send(route.method, path, route.body, socket), 403, "scope_denied");
    }
  });
});

describe("every route", () => {
  type Kind = [name: string, headers: Record<string, string>];

  async function answerOf(route: Route, headers: Record<string, string>): Promise<"yes" | ""> {
    const url = `https://fuelgauge.test${pathOf(route, { e: acme.id, run: "run-1", id: "nothing" })}`;
    const socket = /\/(live|stream)$/.test(route.path) ? { Upgrade: "websocket" } : {};
    // Without a body, every route that takes one refuses the caller or the missing body, and changes nothing.
    const response = await exports.default.fetch(url, { method: route.method, headers: { ...headers, ...socket } });
    response.webSocket?.accept();
    response.webSocket?.close();
    const code = response.status < 400 ? "" : ((await response.json()) as { code?: string }).code;
    return response.status === 401 || code === "scope_denied" ? "" : "yes";
  }

  it("is open to the callers in docs/access-table.md, and to nobody else", async () => {
    const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });
    const kinds: Kind[] = [["no key", {}]];
    for (const scope of OPERATOR_SCOPES) kinds.push([scope, bearer((await makeKey([scope])).key)]);
    for (const scope of ["debit", "read", "admin"]) kinds.push([scope, bearer((await acme.createKey([scope])).key)]);
    for (const role of ["admin", "member"] as const) kinds.push([role, await sessionCookie(acme.id, { role })]);
    kinds.push(["embed", { ...bearer(await embedToken(acme.id)), Origin: EDITOR_ORIGIN }]);
    const lines: string[] = [];
    for (const route of ROUTES) {
      // These need more calls than one test should make.
      if (route.path.includes("demo")) continue;
      const answers: string[] = [];
      for (const [, headers] of kinds) answers.push(await answerOf(route, headers));
      expect([nameOf(route), answers[0]]).toEqual([nameOf(route), ""]);
      lines.push(`| \`${nameOf(route)}\` | ${answers.slice(1).join(" | ")} |`);
    }
    const heads = ["route", ...kinds.slice(1).map(([name], i) => (i >= 10 && i < 12 ? `${name} session` : name))];
    const table = [`| ${heads.join(" | ")} |`, `|${heads.map(() => "---").join("|")}|`, ...lines].join("\n");
    const head =
      "# Who may call each route\n\n`OPERATOR_KEY` may call every route. The columns are the scopes of operator keys, then the scopes of enterprise keys, then sessions and embed tokens. [Security](security.md) explains them. A test makes this table from the responses.";
    await expect(`${head}\n\n${table}\n`).toMatchFileSnapshot("../../docs/access-table.md");
  });
});
