/**
 * Who may see the operator's pages. Without an operator session, any request is sent to the sign-in form, whatever key or
 * other session it carries, and from there back to its page. Every form must come from a page of this site.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { OperatorCaller } from "../../access/operator-session.ts";
import { type Address, findAddress } from "../../catalog/addresses.ts";
import { renewRestoring } from "../../catalog/restoring.ts";
import type { EnterpriseState } from "../../enterprise/books/enterprise-state.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { findOperatorSession } from "../../operations/sign-in.ts";
import { isId } from "../../wire/fields.ts";
import { type ParsedGauge, parseGauge } from "../../wire/gauge.ts";
import { type PageProblem, problemPage } from "../kit/problem-page.tsx";
import { isPartial, requireSameOrigin } from "../kit/session.ts";
import { mayOpen } from "./access.ts";
import { OPERATOR_PATH, signInHref } from "./sign-in.tsx";

const SCOPE_DENIED = "The operator key that you signed in with does not have the scope for this.";

export type OperatorState = Omit<EnterpriseState, "gauge"> & { gauge: ParsedGauge };

/** Who is signed in; and on pages of an enterprise its state, and where its object is. */
export type OperatorEnv = {
  Bindings: Env;
  Variables: { caller: OperatorCaller; state: OperatorState; address: Address };
};
export type OperatorContext = Context<OperatorEnv>;

export const requireOperator = createMiddleware<OperatorEnv>(async (c, next) => {
  const reads = c.req.method === "GET" || c.req.method === "HEAD";
  const session = await findOperatorSession(c);
  if (session !== null) {
    c.set("caller", session.caller);
    if (!mayOpen(session.caller, `${reads ? "GET" : c.req.method} ${handlerPath(c)}`)) {
      return operatorProblem(c, "scope_denied");
    }
    return reads ? next() : requireSameOrigin(c, next);
  }
  const { pathname, search } = new URL(c.req.url);
  const signIn = signInHref(reads ? pathname + search : OPERATOR_PATH);
  // A request for a part of a page must not be redirected; HX-Redirect makes htmx navigate the whole page.
  return isPartial(c) ? c.body(null, 401, { "HX-Redirect": signInHref(OPERATOR_PATH) }) : c.redirect(signIn, 303);
});

/** Loads the state of the path's enterprise, from its object; answers 404 when it does not exist. */
export const loadEnterprise = createMiddleware<OperatorEnv>(async (c, next) => {
  const id = c.req.param("e") ?? "";
  const address = isId(id) ? await findAddress(c.env, id) : null;
  if (address === null) return operatorProblem(c, "not_found");
  await renewRestoring(c.env, c.executionCtx);
  const state = await enterpriseStub(c.env, address).state(c.var.caller);
  if (isRefusal(state)) return operatorProblem(c, "not_found");
  c.set("address", address);
  c.set("state", { ...state, gauge: parseGauge(state.gauge) });
  await next();
});

/** The path of the handler that will answer, as the router has it: the first match that is no middleware. */
function handlerPath(c: Context): string {
  return c.req.matchedRoutes.find(({ method }) => method !== "ALL")?.path ?? "";
}

/** A problem page with a link to the list of enterprises. */
export function operatorProblem(c: Context, code: PageProblem): Promise<Response> {
  const text = code === "scope_denied" ? { text: SCOPE_DENIED } : {};
  return problemPage(c, code, { label: "Go to the enterprises", url: OPERATOR_PATH, ...text });
}

/** The path of an enterprise's page, or of one below it. Encodes each part. */
export function enterpriseHref(id: string, ...parts: string[]): string {
  return [OPERATOR_PATH, "enterprises", ...[id, ...parts].map(encodeURIComponent)].join("/");
}
