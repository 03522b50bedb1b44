// Which scope of an operator key each route declares. A route that is not in this table declares none, so only
// OPERATOR_KEY may call it.
import { expect, it } from "vitest";
import { senderWith } from "./api.ts";
import { nameOf, ROUTES } from "./routes.ts";

const E = "/v1/enterprises/{e}";
const ALL = ["enterprises", "grants", "sessions", "keys", "prices", "metrics", "maintenance"];
const DECLARED: Record<string, string[]> = {
  [`PUT ${E}`]: ["enterprises"],
  [`GET ${E}`]: ["enterprises", "metrics"],
  "GET /v1/enterprises": ["enterprises", "metrics"],
  [`POST ${E}/test-clock`]: ["enterprises"],
  [`PUT ${E}/directory`]: ["enterprises"],
  [`PUT ${E}/spend-cap`]: ["enterprises"],
  [`PUT ${E}/budgets/{dimension}/{id}/{period}`]: ["enterprises"],
  [`DELETE ${E}/budgets/{dimension}/{id}/{period}`]: ["enterprises"],
  [`GET ${E}/budgets`]: ["enterprises", "metrics"],
  [`GET ${E}/budgets/{dimension}/{id}`]: ["enterprises", "metrics"],
  [`POST ${E}/webhooks/test`]: ["enterprises"],
  [`POST ${E}/grants`]: ["grants"],
  [`POST ${E}/grants/{id}/void`]: ["grants"],
  "POST /v1/referrals": ["grants"],
  [`GET ${E}/grants`]: ["grants", "metrics"],
  [`POST ${E}/sessions`]: ["sessions"],
  [`POST ${E}/embed-tokens`]: ["sessions"],
  [`POST ${E}/users/{user}/sign-out`]: ["sessions"],
  [`POST ${E}/keys`]: ["keys"],
  [`GET ${E}/keys`]: ["keys"],
  [`DELETE ${E}/keys/{id}`]: ["keys"],
  "GET /v1/plans": ["enterprises", "metrics"],
  "PUT /v1/plans": ["enterprises"],
  "PUT /v1/price-book": ["prices"],
  [`GET ${E}/price-overrides`]: ["prices"],
  [`PUT ${E}/price-overrides`]: ["prices"],
  "PATCH /v1/price-book": ["prices"],
  "GET /v1/price-book": ALL,
  "GET /v1/price-book/versions": ALL,
  "GET /v1/price-book/models/{name}": ALL,
  "GET /metrics": ["metrics"],
  "GET /v1/jobs/{job}": ["metrics", "maintenance"],
  [`GET ${E}/audit`]: ["metrics"],
  [`POST ${E}/rebuild`]: ["maintenance"],
  [`POST ${E}/move-copy`]: ["maintenance"],
  [`DELETE ${E}`]: ["maintenance"],
  [`POST ${E}/users/{user}/erase`]: ["maintenance"],
  [`POST ${E}/history`]: ["maintenance"],
  [`POST ${E}/restore`]: ["maintenance"],
  [`GET ${E}/export`]: ["maintenance"],
  ...Object.fromEntries(
    ["PUT /channels/{id}", "GET /channels", "DELETE /channels/{id}", "POST /channels/{id}/test"].map((route) => [
      route.replace(" ", ` ${E}`),
      ["enterprises"],
    ]),
  ),
  [`GET ${E}/webhooks`]: ["metrics"],
  [`GET ${E}/gauge`]: ["metrics"],
  [`GET ${E}/live`]: ["metrics"],
  [`GET ${E}/entries`]: ["metrics"],
  [`GET ${E}/runs`]: ["metrics"],
  [`GET ${E}/runs/{run}`]: ["metrics"],
  [`GET ${E}/runs.csv`]: ["metrics"],
  [`GET ${E}/usage/timeseries`]: ["metrics"],
  [`GET ${E}/usage/top/workspaces`]: ["metrics"],
  [`GET ${E}/usage/top/groups`]: ["metrics"],
  [`GET ${E}/usage/top/users`]: ["metrics"],
  [`GET ${E}/usage/top/models`]: ["metrics"],
  [`GET ${E}/usage/kinds`]: ["metrics"],
  [`GET ${E}/cycles`]: ["metrics"],
};

it("declares the operator scopes of every route, and none for a route that debits", async () => {
  const { paths } = (await senderWith(null)("GET", "/openapi.json")).body;
  // The document omits the route of the local demo.
  for (const route of ROUTES.filter(({ path }) => path in paths)) {
    const operation = paths[route.path][route.method.toLowerCase()];
    expect([nameOf(route), operation["x-operator-scopes"]]).toEqual([nameOf(route), DECLARED[nameOf(route)]]);
    if (route.needs === "debit") expect(operation["x-operator-scopes"]).toBeUndefined();
  }
});
