/**
 * Every route of the app: the JSON interface, with the scope each route needs and a valid body, and the pages.
 * The tests of access, bad input and the OpenAPI document go through these tables. access-matrix.test.ts checks that the
 * app has no other route. This file is long because it lists every route.
 */
import { CREDIT, costing, start } from "./api.ts";

/** The scope that a key needs. `operator`: no enterprise key is enough. */
type Needs = "debit" | "read" | "admin" | "any key" | "operator";

export type Route = {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  path: string;
  needs: Needs;
  /** An embed token is accepted. */
  embed?: true;
  /** What the tests name in the path does not exist, or only in the demo: callers with access get 404. */
  mayBeMissing?: true;
  /** The code of what the tests name in the path, if it is not not_found. */
  missing?: string;
  body?: unknown;
  query?: readonly string[];
};

const E = "/v1/enterprises/{e}";
const SELECTION = ["workspace", "group", "user", "model", "surface"];
const TOP_QUERY = ["limit", "cursor", "cycle", "q", "sort", ...SELECTION];

export const ROUTES: readonly Route[] = [
  { method: "POST", path: `${E}/debits`, needs: "debit", body: costing(1, { group: "g1", final: false }) },
  { method: "GET", path: `${E}/debits/stream`, needs: "debit" },
  {
    method: "POST",
    path: `${E}/runs`,
    needs: "debit",
    body: start({ group: "g1", model: "gpt-5", hold_micros: CREDIT, hold_ttl_seconds: 60 }),
  },
  { method: "DELETE", path: `${E}/runs/{run}/hold`, needs: "debit" },
  { method: "GET", path: `${E}/gauge`, needs: "read", embed: true },
  { method: "GET", path: `${E}/live`, needs: "read", embed: true },
  { method: "GET", path: `${E}/grants`, needs: "read", query: ["limit", "cursor"] },
  {
    method: "GET",
    path: `${E}/usage/timeseries`,
    needs: "read",
    query: ["range", "from", "to", "granularity", ...SELECTION],
  },
  { method: "GET", path: `${E}/usage/top/workspaces`, needs: "read", query: TOP_QUERY },
  { method: "GET", path: `${E}/usage/top/groups`, needs: "read", query: TOP_QUERY },
  { method: "GET", path: `${E}/usage/top/users`, needs: "read", query: TOP_QUERY },
  { method: "GET", path: `${E}/usage/top/models`, needs: "read", query: TOP_QUERY },
  { method: "GET", path: `${E}/usage/kinds`, needs: "read", query: ["cycle", ...SELECTION] },
  { method: "GET", path: `${E}/runs`, needs: "read", query: ["limit", "cursor", "from", "to", "sort", ...SELECTION] },
  { method: "GET", path: `${E}/runs/{run}`, needs: "read" },
  { method: "GET", path: `${E}/runs.csv`, needs: "read", query: ["cycle", ...SELECTION] },
  { method: "GET", path: `${E}/cycles`, needs: "read", query: ["limit", "cursor"] },
  { method: "GET", path: `${E}/entries`, needs: "read", query: ["limit", "cursor"] },
  { method: "PUT", path: `${E}/spend-cap`, needs: "admin", body: { monthly_cap_micros: 5 * CREDIT } },
  {
    method: "PUT",
    path: `${E}/budgets/{dimension}/{id}/{period}`,
    needs: "admin",
    body: { limit_micros: 5_000 * CREDIT, action: "warn" },
  },
  { method: "DELETE", path: `${E}/budgets/{dimension}/{id}/{period}`, needs: "admin", mayBeMissing: true },
  { method: "GET", path: `${E}/budgets`, needs: "read", query: ["limit", "cursor", "dimension"] },
  { method: "GET", path: `${E}/budgets/{dimension}/{id}`, needs: "read" },
  { method: "POST", path: `${E}/keys`, needs: "admin", body: { name: "agent", scopes: ["read"], expires_at: null } },
  { method: "GET", path: `${E}/keys`, needs: "admin", query: ["limit", "cursor"] },
  { method: "DELETE", path: `${E}/keys/{id}`, needs: "admin", mayBeMissing: true },
  { method: "GET", path: "/v1/price-book", needs: "any key", query: ["version"] },
  { method: "GET", path: "/v1/price-book/versions", needs: "any key", query: ["limit", "cursor"] },
  {
    method: "GET",
    path: "/v1/price-book/models/{name}",
    needs: "any key",
    query: ["enterprise"],
    missing: "unknown_model",
  },
  {
    method: "PATCH",
    path: "/v1/price-book",
    needs: "operator",
    body: { credits_per_usd: 100, models: [{ id: "m-patched", input: "1", output: "2" }], remove: [] },
  },
  { method: "POST", path: "/v1/operator-keys", needs: "operator", body: { name: "ci", scopes: ["metrics"] } },
  { method: "GET", path: "/v1/operator-keys", needs: "operator", query: ["limit", "cursor"] },
  { method: "DELETE", path: "/v1/operator-keys/{id}", needs: "operator", mayBeMissing: true },
  { method: "GET", path: "/v1/plans", needs: "operator" },
  {
    method: "PUT",
    path: "/v1/plans",
    needs: "operator",
    body: {
      plans: ["free", "pro", "team", "enterprise"].map((id) => ({
        ...{ id, name: id, allowance_micros: CREDIT, free: id === "free" },
      })),
    },
  },
  { method: "GET", path: `${E}/price-overrides`, needs: "operator" },
  {
    method: "PUT",
    path: `${E}/price-overrides`,
    needs: "operator",
    body: { models: [{ id: "m-own", aliases: ["own"], input: "1", output: "2", tiers: { batch: { input: "0.5" } } }] },
  },
  {
    method: "PUT",
    path: "/v1/price-book",
    needs: "operator",
    body: {
      credits_per_usd: 100,
      models: [{ id: "gpt-5", aliases: ["g5"], input: "1.25", output: "10", cache_read: "0.125", cache_write: "1" }],
    },
  },
  {
    method: "PUT",
    path: E,
    needs: "operator",
    body: {
      name: "Acme",
      billing_model: "byom",
      plan: "pro",
      time_zone: "UTC",
      anchor_day: 1,
      monthly_allowance_micros: null,
      suspended: false,
      upgrade_url: "https://acme.example/up",
      referral_url: null,
      webhook_url: null,
      test_clock: null,
    },
  },
  { method: "GET", path: E, needs: "operator" },
  { method: "DELETE", path: E, needs: "operator", query: ["confirm"] },
  { method: "GET", path: "/v1/enterprises", needs: "operator", query: ["limit", "cursor"] },
  { method: "POST", path: `${E}/test-clock`, needs: "operator", body: { now: "2026-03-10T12:00:00Z" } },
  {
    method: "POST",
    path: `${E}/grants`,
    needs: "operator",
    body: { id: "g", amount_micros: CREDIT, source: "goodwill", note: "Sorry", expires_at: "2027-01-01T00:00:00Z" },
  },
  { method: "POST", path: `${E}/grants/{id}/void`, needs: "operator" },
  { method: "POST", path: "/v1/referrals", needs: "operator", body: { code: "nobody~12345678", referee: "nobody" } },
  { method: "POST", path: `${E}/sessions`, needs: "operator", body: { user: "u1", role: "member" } },
  {
    method: "POST",
    path: `${E}/embed-tokens`,
    needs: "operator",
    body: { user: "u1", role: "member", origin: "https://editor.example", ttl_seconds: 60 },
  },
  { method: "POST", path: `${E}/users/{user}/sign-out`, needs: "operator" },
  { method: "POST", path: `${E}/users/{user}/erase`, needs: "operator" },
  {
    method: "PUT",
    path: `${E}/directory`,
    needs: "operator",
    body: {
      workspaces: [{ id: "w1", name: "One", group_id: "g1" }],
      groups: [{ id: "g1", name: "Team" }],
      users: [{ id: "u1", name: "Ada" }],
    },
  },
  { method: "GET", path: `${E}/audit`, needs: "operator" },
  { method: "POST", path: `${E}/rebuild`, needs: "operator" },
  // The enterprises of these tests have their copy in the only database that they may use.
  { method: "POST", path: `${E}/move-copy`, needs: "operator", body: { shard: "NONE" } },
  {
    method: "POST",
    path: `${E}/history`,
    needs: "operator",
    body: {
      unit: "credits",
      rows: [
        {
          ...{ day: "2026-02-27", surface: "web", workspace: "w1", group: "g1", user: "u1", model: "m1", requests: 1 },
          ...{ amount_micros: 1, usage: { input_tokens: 1 } },
        },
      ],
    },
  },
  {
    method: "POST",
    path: `${E}/restore`,
    needs: "operator",
    body: { at: "2026-03-10T12:00:00Z" },
  },
  { method: "GET", path: `${E}/export`, needs: "operator", query: ["kind", "after", "limit"] },
  { method: "GET", path: "/v1/jobs/{job}", needs: "operator", mayBeMissing: true },
  { method: "GET", path: "/metrics", needs: "operator" },
  { method: "GET", path: `${E}/webhooks`, needs: "read", query: ["limit", "cursor"] },
  { method: "POST", path: `${E}/webhooks/test`, needs: "operator" },
  {
    method: "PUT",
    path: `${E}/channels/{id}`,
    needs: "admin",
    body: {
      kind: "webhook",
      target: "https://hooks.acme.example/channel",
      events: ["exhausted", "usage_80"],
      thresholds: [50, 80],
      active: true,
      rotate_secret: false,
    },
  },
  { method: "GET", path: `${E}/channels`, needs: "admin", query: ["limit", "cursor"] },
  { method: "DELETE", path: `${E}/channels/{id}`, needs: "admin", mayBeMissing: true },
  { method: "POST", path: `${E}/channels/{id}/test`, needs: "admin", mayBeMissing: true },
  { method: "POST", path: `${E}/demo/follow-real-clock`, needs: "operator", mayBeMissing: true },
];

const OPERATOR_ENTERPRISE = "/enterprises/{e}";
const TABS = [
  "/settings",
  "/grants",
  "/cap",
  "/budgets",
  "/keys",
  "/webhooks",
  "/channels",
  "/directory",
  "/audit",
].map((tab) => OPERATOR_ENTERPRISE + tab);
const CONFIRMATIONS = [
  "/suspend",
  "/budgets/remove",
  "/grants/{id}/void",
  "/keys/{id}/revoke",
  "/rebuild",
  "/delete",
  "/channels/remove",
].map((confirmation) => OPERATOR_ENTERPRISE + confirmation);
const OPERATOR_READS = [
  "",
  "/open",
  "/new",
  "/prices",
  "/plans",
  "/keys",
  "/keys/{id}/revoke",
  "/referrals",
  OPERATOR_ENTERPRISE,
  "/jobs",
  "/fleet",
  "/find",
  `${OPERATOR_ENTERPRISE}/runs/{run}`,
  `${OPERATOR_ENTERPRISE}/channels/edit`,
  "/jobs/{job}",
  `${OPERATOR_ENTERPRISE}/access`,
  `${OPERATOR_ENTERPRISE}/data`,
  `${OPERATOR_ENTERPRISE}/export`,
  `${OPERATOR_ENTERPRISE}/journal`,
  ...TABS,
  ...CONFIRMATIONS,
  "/*",
];
const OPERATOR_FORMS = [
  "/new",
  "/prices",
  "/plans",
  "/keys",
  "/keys/{id}/revoke",
  "/referrals",
  ...TABS,
  ...CONFIRMATIONS,
  ...[
    "/link",
    "/embed-token",
    "/sign-out",
    "/resume",
    "/test-clock",
    "/webhooks/test",
    "/import",
    "/erase",
    "/move-copy",
    "/restore",
    "/channels/test",
    "/channels/confirm",
    "/channels/pause",
    "/channels/resume",
  ].map((form) => OPERATOR_ENTERPRISE + form),
];

/** A page or a file, and the outcome of a request with an empty body, without a session and with one. */
export type Page = {
  method: "GET" | "POST";
  path: string;
  stranger: string;
  session: string;
  /** What a member gets, if it differs from what an admin gets. */
  member?: string;
};

/** A page for changing something that does not exist here. */
const ADMIN_FORM = { stranger: "out", session: "not_found", member: "scope_denied" };

export const PAGES: readonly Page[] = [
  { method: "GET", path: "/healthz", stranger: "in", session: "in" },
  { method: "GET", path: "/openapi.json", stranger: "in", session: "in" },
  { method: "GET", path: "/docs", stranger: "in", session: "in" },
  { method: "GET", path: "/", stranger: "in", session: "in" },
  { method: "GET", path: "/signin", stranger: "link_invalid", session: "link_invalid" },
  { method: "POST", path: "/signin", stranger: "link_invalid", session: "link_invalid" },
  { method: "GET", path: "/confirm-email", stranger: "link_invalid", session: "link_invalid" },
  { method: "POST", path: "/confirm-email", stranger: "link_invalid", session: "link_invalid" },
  { method: "GET", path: "/signout", stranger: "out", session: "in" },
  // A form without Origin and Sec-Fetch-Site is refused.
  { method: "POST", path: "/signout", stranger: "csrf_failed", session: "csrf_failed" },
  { method: "POST", path: "/demo/signin", stranger: "not_found", session: "not_found" },
  { method: "GET", path: "/settings/usage", stranger: "out", session: "in" },
  { method: "GET", path: "/settings/usage/runs/{run}", stranger: "out", session: "in" },
  { method: "GET", path: "/settings/usage/workspaces.csv", stranger: "out", session: "in" },
  { method: "GET", path: "/settings/usage/groups.csv", stranger: "out", session: "in" },
  { method: "GET", path: "/settings/usage/users.csv", stranger: "out", session: "in" },
  { method: "GET", path: "/settings/usage/models.csv", stranger: "out", session: "in" },
  { method: "GET", path: "/settings/model", stranger: "out", session: "in" },
  { method: "POST", path: "/settings/model", stranger: "out", session: "csrf_failed" },
  { method: "GET", path: "/settings/budgets", stranger: "out", session: "in" },
  { method: "POST", path: "/settings/budgets", stranger: "out", session: "csrf_failed" },
  { method: "GET", path: "/settings/budgets/remove", ...ADMIN_FORM },
  { method: "POST", path: "/settings/budgets/remove", stranger: "out", session: "csrf_failed" },
  { method: "GET", path: "/settings/notifications", stranger: "out", session: "in" },
  { method: "GET", path: "/settings/notifications/edit", ...ADMIN_FORM },
  { method: "GET", path: "/settings/notifications/remove", ...ADMIN_FORM },
  ...["", "/test", "/confirm", "/pause", "/resume", "/remove"].map((form) => ({
    method: "POST" as const,
    path: `/settings/notifications${form}`,
    stranger: "out",
    session: "csrf_failed",
  })),
  { method: "GET", path: "/settings/upgrade", stranger: "out", session: "in" },
  { method: "GET", path: "/operator/signin", stranger: "in", session: "in" },
  { method: "POST", path: "/operator/signin", stranger: "key_invalid", session: "key_invalid" },
  { method: "POST", path: "/operator/signout", stranger: "csrf_failed", session: "csrf_failed" },
  ...OPERATOR_READS.map((path) => operatorPage("GET", path)),
  ...OPERATOR_FORMS.map((path) => operatorPage("POST", path)),
  { method: "GET", path: "/*", stranger: "not_found", session: "not_found" },
];

/** A page that only the operator's session opens. Everyone else is redirected to the operator's sign-in form. */
function operatorPage(method: Page["method"], path: string): Page {
  return { method, path: `/operator${path}`, stranger: "out", session: "out" };
}

/** A route's path with its parameters filled in and percent-encoded. */
export function pathOf({ path }: Pick<Route, "path">, params: Record<string, string>): string {
  const known: Record<string, string> = { dimension: "user", period: "day", ...params };
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(known[name] ?? "none"));
}

export function nameOf({ method, path }: Pick<Route, "method" | "path"> | Page): string {
  return `${method} ${path}`;
}
