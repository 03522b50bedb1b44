/**
 * Signing in to the operator's pages, and out. The operator key is sent by POST only, compared in constant time, and never
 * written into a page, not even when it was wrong.
 */
import { type Context, Hono } from "hono";
import { failedTooOften } from "../../access/limits.ts";
import {
  clearOperatorSession,
  findSessionKey,
  OPERATOR_SESSION_MS,
  startOperatorSession,
} from "../../access/operator-session.ts";
import type { AccessRefusalCode } from "../../access/refusals.ts";
import { endOperatorSession, findOperatorSession, findSessionFault } from "../../operations/sign-in.ts";
import { Field, readForm } from "../kit/form.tsx";
import { page } from "../kit/layout.tsx";
import { problemPage, wantsHtml } from "../kit/problem-page.tsx";
import { refuseCrossOrigin, requireSameOrigin } from "../kit/session.ts";

export const OPERATOR_PATH = "/operator";
const SIGN_IN_PATH = "/operator/signin";
const HOURS = OPERATOR_SESSION_MS / 3_600_000;
const NO_KEY = "This is not an operator key of this deployment.";
const FAULTS: { [code in AccessRefusalCode]?: string } = {
  key_revoked: "This operator key was revoked.",
  key_expired: "This operator key has expired.",
};
/** Where a sign-in may lead: a page of the operator, never another site. */
const OWN_PAGE = /^\/operator(?:\/[\w.~!$&'()*+,;=:@%/-]*)?(?:\?[\w.~!$&'()*+,;=:@%/?-]*)?$/;

export const operatorSignIn = new Hono<{ Bindings: Env }>()
  .get(SIGN_IN_PATH, async (c) => {
    const to = c.req.query("to") ?? "";
    return (await findOperatorSession(c)) !== null ? c.redirect(ownPageOf(to), 303) : signInPage(c, to);
  })
  .post(SIGN_IN_PATH, refuseCrossOrigin, async (c) => {
    const { operator_key = "", to = "" } = await readForm(c);
    const key = await findSessionKey(c.env, operator_key);
    const fault = await findSessionFault(c.env, key);
    if (key === null || fault !== null) return failedSignIn(c, to, fault);
    await startOperatorSession(c, key);
    return c.redirect(ownPageOf(to), 303);
  })
  .post("/operator/signout", requireSameOrigin, async (c) => {
    await endOperatorSession(c);
    clearOperatorSession(c);
    return c.redirect(SIGN_IN_PATH, 303);
  });

/** @param to the requested page, to which the sign-in leads back */
export function signInHref(to: string): string {
  return to === OPERATOR_PATH ? SIGN_IN_PATH : `${SIGN_IN_PATH}?${new URLSearchParams({ to })}`;
}

async function failedSignIn(c: Context<{ Bindings: Env }>, to: string, fault: AccessRefusalCode | null) {
  console.warn(JSON.stringify({ event: "operator_sign_in_failed" }));
  if (await failedTooOften(c.env, c.req.raw.headers)) return problemPage(c, "rate_limited");
  return wantsHtml(c)
    ? signInPage(c, to, (fault === null ? undefined : FAULTS[fault]) ?? NO_KEY)
    : problemPage(c, "key_invalid");
}

function signInPage(c: Context, to: string, error?: string) {
  return c.html(
    page({
      title: "Operator",
      children: (
        <section class="card lone">
          <h1>Operator</h1>
          <p>Enterprises, their credits, keys and webhooks. Sign in with an operator key of this deployment.</p>
          <form class="form" method="post" action={SIGN_IN_PATH} autocomplete="off">
            <input type="hidden" name="to" value={ownPageOf(to)} />
            <Field
              name="operator_key"
              label="Operator key"
              type="password"
              form={{ values: {}, errors: error === undefined ? {} : { operator_key: error } }}
            />
            <p class="buttons">
              <button class="button" type="submit">
                Sign in
              </button>
            </p>
          </form>
          <p class="muted">
            The deployment's secret <code>OPERATOR_KEY</code> opens everything; <code>npm start</code> keeps it in{" "}
            <code>.dev.vars</code>. A key with scopes opens the pages of its scopes. You stay signed in for {HOURS}{" "}
            hours, or until the key is revoked.
          </p>
        </section>
      ),
    }),
    error === undefined ? 200 : 401,
  );
}

function ownPageOf(to: string): string {
  return OWN_PAGE.test(to) && !to.startsWith(SIGN_IN_PATH) ? to : OPERATOR_PATH;
}
