/**
 * Which scopes open each of the operator's pages and forms. An operator key with scopes opens a session that sees only the
 * routes of its scopes: navigation, links and forms follow this table, and requireOperator() refuses everything else. A
 * route that is not in this table is open to OPERATOR_KEY alone. Each scope is that of the JSON route that does the same.
 */
import { hasOperatorScope, OPERATOR_SCOPES, type OperatorScope } from "../../access/callers.ts";
import type { OperatorCaller } from "../../access/operator-session.ts";

const E = "/operator/enterprises/:e";

const ROUTE_SCOPES = {
  // These say what a key may do, and open an enterprise by its id.
  "GET /operator": OPERATOR_SCOPES,
  "GET /operator/open": OPERATOR_SCOPES,
  "GET /operator/*": OPERATOR_SCOPES,
  "GET /operator/new": ["enterprises"],
  "POST /operator/new": ["enterprises"],
  "GET /operator/prices": ["prices", "metrics"],
  "POST /operator/prices": ["prices"],
  "GET /operator/plans": ["enterprises", "metrics"],
  "POST /operator/plans": ["enterprises"],
  "GET /operator/fleet": ["metrics"],
  "GET /operator/find": ["metrics"],
  "GET /operator/jobs": ["metrics", "maintenance"],
  "GET /operator/jobs/:job": ["metrics", "maintenance"],
  "GET /operator/referrals": ["grants"],
  "POST /operator/referrals": ["grants"],
  [`GET ${E}`]: ["enterprises", "metrics"],
  [`GET ${E}/suspend`]: ["enterprises"],
  [`POST ${E}/suspend`]: ["enterprises"],
  [`POST ${E}/resume`]: ["enterprises"],
  [`POST ${E}/test-clock`]: ["enterprises"],
  [`GET ${E}/settings`]: ["enterprises"],
  [`POST ${E}/settings`]: ["enterprises"],
  [`GET ${E}/access`]: ["sessions"],
  [`POST ${E}/embed-token`]: ["sessions"],
  [`POST ${E}/link`]: ["sessions"],
  [`POST ${E}/sign-out`]: ["sessions"],
  [`GET ${E}/grants`]: ["grants", "metrics"],
  [`POST ${E}/grants`]: ["grants"],
  [`GET ${E}/grants/:id/void`]: ["grants"],
  [`POST ${E}/grants/:id/void`]: ["grants"],
  [`GET ${E}/cap`]: ["enterprises"],
  [`POST ${E}/cap`]: ["enterprises"],
  [`GET ${E}/budgets`]: ["enterprises", "metrics"],
  [`POST ${E}/budgets`]: ["enterprises"],
  [`GET ${E}/budgets/remove`]: ["enterprises"],
  [`POST ${E}/budgets/remove`]: ["enterprises"],
  [`GET ${E}/keys`]: ["keys"],
  [`POST ${E}/keys`]: ["keys"],
  [`GET ${E}/keys/:id/revoke`]: ["keys"],
  [`POST ${E}/keys/:id/revoke`]: ["keys"],
  [`GET ${E}/webhooks`]: ["enterprises", "metrics"],
  [`POST ${E}/webhooks`]: ["enterprises"],
  [`POST ${E}/webhooks/test`]: ["enterprises"],
  [`GET ${E}/channels`]: ["enterprises"],
  [`POST ${E}/channels`]: ["enterprises"],
  [`GET ${E}/channels/edit`]: ["enterprises"],
  [`GET ${E}/channels/remove`]: ["enterprises"],
  [`POST ${E}/channels/test`]: ["enterprises"],
  [`POST ${E}/channels/confirm`]: ["enterprises"],
  [`POST ${E}/channels/pause`]: ["enterprises"],
  [`POST ${E}/channels/resume`]: ["enterprises"],
  [`POST ${E}/channels/remove`]: ["enterprises"],
  [`GET ${E}/directory`]: ["enterprises"],
  [`POST ${E}/directory`]: ["enterprises"],
  [`GET ${E}/runs/:run`]: ["metrics"],
  [`GET ${E}/journal`]: ["metrics"],
  [`GET ${E}/audit`]: ["metrics"],
  [`POST ${E}/audit`]: ["metrics"],
  [`GET ${E}/data`]: ["maintenance"],
  [`GET ${E}/export`]: ["maintenance"],
  [`POST ${E}/import`]: ["maintenance"],
  [`POST ${E}/erase`]: ["maintenance"],
  [`POST ${E}/move-copy`]: ["maintenance"],
  [`POST ${E}/restore`]: ["maintenance"],
  [`GET ${E}/delete`]: ["maintenance"],
  [`POST ${E}/delete`]: ["maintenance"],
  [`GET ${E}/rebuild`]: ["maintenance"],
  [`POST ${E}/rebuild`]: ["maintenance"],
} as const satisfies Record<string, readonly OperatorScope[]>;

/** @param route the method and the path as the router has it; a route without an entry needs OPERATOR_KEY */
export function mayOpen(caller: OperatorCaller, route: string): boolean {
  return hasOperatorScope(caller, scopesOf(route));
}

function scopesOf(route: string): readonly OperatorScope[] {
  return Object.hasOwn(ROUTE_SCOPES, route) ? (ROUTE_SCOPES as Record<string, readonly OperatorScope[]>)[route]! : [];
}
