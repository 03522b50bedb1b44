/**
 * The door of the operator's pages. Who has no operator session is led to the sign-in form, whatever else they may have
 * shown, and from there back to their page; every form must come from a page of this site.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { Caller } from "../../access/callers.ts";
import { hasOperatorSession } from "../../access/operator-session.ts";
import type { EnterpriseState } from "../../enterprise/books/ledger.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { isId } from "../../wire/fields.ts";
import { type PageProblem, problemPage } from "../kit/problem-page.tsx";
import { isPartial, ownForm } from "../kit/session.ts";
import { OPERATOR_PATH, signInHref } from "./sign-in.tsx";

export const OPERATOR: Caller = { kind: "operator" };

/** `state` is that of the enterprise in the path, on pages that have one. */
export type OperatorEnv = { Bindings: Env; Variables: { state: EnterpriseState } };
export type OperatorContext = Context<OperatorEnv>;

export const asOperator = createMiddleware<OperatorEnv>(async (c, next) => {
  const reads = c.req.method === "GET" || c.req.method === "HEAD";
  if (await hasOperatorSession(c)) return reads ? next() : ownForm(c, next);
  const { pathname, search } = new URL(c.req.url);
  const signIn = signInHref(reads ? pathname + search : OPERATOR_PATH);
  // A part of a page cannot lead anywhere: htmx takes the whole page there.
  return isPartial(c) ? c.body(null, 401, { "HX-Redirect": signInHref(OPERATOR_PATH) }) : c.redirect(signIn, 303);
});

/** Loads the enterprise of the path's `e`, from its object; what follows can count on it. */
export const inEnterprise = createMiddleware<OperatorEnv>(async (c, next) => {
  const id = c.req.param("e") ?? "";
  const state = isId(id) ? await enterpriseStub(c.env, id).state(OPERATOR) : null;
  if (state === null || isRefusal(state)) return operatorProblem(c, "not_found");
  c.set("state", state);
  await next();
});

/** What went wrong, with the way back to the list. */
export function operatorProblem(c: Context, code: PageProblem): Promise<Response> {
  return problemPage(c, code, { label: "To the enterprises", url: OPERATOR_PATH });
}

/** The address of an enterprise's page, or of a part of it; each part is encoded. */
export function enterpriseHref(id: string, ...parts: string[]): string {
  return [OPERATOR_PATH, "enterprises", ...[id, ...parts].map(encodeURIComponent)].join("/");
}
