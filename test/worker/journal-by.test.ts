// Who the journal and the lists name for a change: the operator key that was used, over the API and in the console.
import { exports } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";
import { OPERATOR_SCOPES } from "../../src/access/callers.ts";
import { CREDIT, type Enterprise, newEnterprise, operator, senderWith } from "./api.ts";
import { nameOf, PAGES, pathOf, ROUTES } from "./routes.ts";

const SITE = "https://fuelgauge.test";

let key: { id: string; key: string };
let by: string;
beforeAll(async () => {
  key = (await operator("POST", "/v1/operator-keys", { name: "all", scopes: OPERATOR_SCOPES })).body;
  by = `operator-key:${key.id}`;
});

/** What an enterprise's entries, keys, and lists of the catalog name, in the order in which it was written. */
async function namesSince(e: Enterprise, seq: number): Promise<[string, string][]> {
  const entries = (await e.entries()).filter((entry) => (entry.seq as number) > seq);
  return entries.map(({ type, by: who }) => [type as string, who as string]);
}

async function lastSeq(e: Enterprise): Promise<number> {
  return Math.max(...(await e.entries()).map((entry) => entry.seq as number));
}

/** The types of entries that a person causes, and not time or an agent. */
const CAUSED = [
  ...["billing_model_changed", "budget_changed", "cap_changed", "grant_added", "grant_voided", "plan_changed"],
  ...["price_changed", "user_erased"],
];

it("is the key, for every route by which an operator key changes an enterprise", async () => {
  const send = senderWith(key.key);
  const seen = new Set<string>();
  const referrer = await newEnterprise();
  for (const route of ROUTES) {
    if (route.method === "GET" || route.needs === "debit" || !route.path.startsWith("/v1/enterprises/{e}")) continue;
    if (nameOf(route) === "DELETE /v1/enterprises/{e}") continue;
    const e = await newEnterprise({ plan: "free" });
    await e.grant({ id: "given", amount_micros: CREDIT });
    if (route.path.endsWith("/spend-cap")) await e.put({ billing_model: "byom" });
    if (route.path.includes("/budgets/") && route.method === "DELETE") {
      await operator("PUT", `${e.path}/budgets/user/given/day`, { limit_micros: CREDIT });
    }
    const before = await lastSeq(e);
    await send(route.method, pathOf(route, { e: e.id, id: "given", user: "u1" }), route.body);
    for (const [type, who] of await namesSince(e, before)) {
      expect([nameOf(route), type, who]).toEqual([nameOf(route), type, by]);
      seen.add(type);
    }
  }
  const [host, guest] = [await newEnterprise(), await newEnterprise()];
  const { referral_code } = (await operator("GET", host.path)).body;
  const before = [await lastSeq(host), await lastSeq(guest)] as const;
  expect((await send("POST", "/v1/referrals", { code: referral_code, referee: guest.id })).status).toBe(201);
  expect(await namesSince(host, before[0])).toEqual([["grant_added", by]]);
  expect(await namesSince(guest, before[1])).toEqual([["grant_added", by]]);
  expect([...seen].sort()).toEqual(CAUSED);
  await send("POST", `${referrer.path}/keys`, { name: "agents", scopes: ["debit"] });
  expect((await operator("GET", `${referrer.path}/keys`)).body.rows[0].created_by).toBe(by);
  await send("PATCH", "/v1/price-book", { models: [{ id: "m-by", input: "1", output: "1" }] });
  expect((await operator("GET", "/v1/price-book/versions")).body.rows[0].by).toBe(by);
});

it("is the key, for every form of the console", async () => {
  const headers = { Origin: SITE, "Sec-Fetch-Site": "same-origin", Accept: "text/html" };
  const post = (path: string, form: Record<string, string>, cookie = "") =>
    exports.default.fetch(SITE + path, {
      method: "POST",
      headers: { ...headers, Cookie: cookie },
      body: new URLSearchParams(form),
      redirect: "manual",
    });
  const signedIn = await post("/operator/signin", { operator_key: key.key });
  const cookie = (signedIn.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
  const host = await newEnterprise();
  const { referral_code } = (await operator("GET", host.path)).body;
  const FORMS: Record<string, Record<string, string>> = {
    "/settings": {
      ...{ loaded: "{}", name: "New", plan: "team", billing_model: "byom", time_zone: "UTC", anchor_day: "1" },
      price_multiplier: "2",
    },
    "/grants": { id: "more", amount_micros: "5", source: "goodwill" },
    "/grants/{id}/void": { confirmed: "yes" },
    "/cap": { limit: "cap", cap: "100" },
    "/budgets": { of: "user", id: "u1", period: "day", kind: "limit", limit: "5", action: "warn" },
    "/budgets/remove": { of: "user", id: "given", period: "day", confirmed: "yes" },
    "/erase": { erased_user: "u1", confirmed: "yes" },
  };
  const seen = new Set<string>();
  for (const { method, path } of PAGES) {
    const form = path.replace("/operator/enterprises/{e}", "");
    if (method !== "POST" || form === path || form === "/delete") continue;
    const e = await newEnterprise(form === "/cap" ? { billing_model: "byom" } : {});
    await e.grant({ id: "given", amount_micros: CREDIT });
    await operator("PUT", `${e.path}/budgets/user/given/day`, { limit_micros: CREDIT });
    const before = await lastSeq(e);
    await post(pathOf({ path }, { e: e.id, id: "given" }), FORMS[form] ?? { confirmed: "yes" }, cookie);
    for (const [type, who] of await namesSince(e, before)) {
      expect([form, type, who]).toEqual([form, type, by]);
      seen.add(type);
    }
  }
  const guest = await newEnterprise();
  const before = [await lastSeq(host), await lastSeq(guest)] as const;
  await post("/operator/referrals", { code: referral_code, referee: guest.id }, cookie);
  expect([...(await namesSince(host, before[0])), ...(await namesSince(guest, before[1]))]).toEqual([
    ["grant_added", by],
    ["grant_added", by],
  ]);
  expect([...seen].sort()).toEqual(CAUSED);
});
