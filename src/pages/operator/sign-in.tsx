/**
 * In and out of the operator's pages. The operator key goes by POST only, is compared in constant time, and is never
 * written back, not even when it was wrong.
 */
import { type Context, Hono } from "hono";
import {
  endOperatorSession,
  isOperatorKey,
  OPERATOR_SESSION_MS,
  startOperatorSession,
} from "../../access/operator-session.ts";
import { page } from "../layout.tsx";
import { notForeignForm, ownForm } from "../session.ts";
import { Field, readForm } from "./form.tsx";

const SIGN_IN_PATH = "/operator/signin";
const HOURS = OPERATOR_SESSION_MS / 3_600_000;
/** Where to go afterwards: a page of the operator, never another address. */
const OWN_PAGE = /^\/operator(?:\/[\w.~!$&'()*+,;=:@%/-]*)?(?:\?[\w.~!$&'()*+,;=:@%/?-]*)?$/;

export const operatorSignIn = new Hono<{ Bindings: Env }>()
  .get(SIGN_IN_PATH, (c) => c.redirect("/operator", 303))
  .post(SIGN_IN_PATH, notForeignForm, async (c) => {
    const { operator_key = "", to = "" } = await readForm(c);
    if (!(await isOperatorKey(c, operator_key))) return failedSignIn(c, to);
    await startOperatorSession(c);
    return c.redirect(OWN_PAGE.test(to) ? to : "/operator", 303);
  })
  .post("/operator/signout", ownForm, (c) => {
    endOperatorSession(c);
    return c.redirect("/operator", 303);
  });

/** The one place where a wrong key ends up. */
function failedSignIn(c: Context, to: string) {
  console.warn(JSON.stringify({ event: "operator_sign_in_failed" }));
  return signInPage(c, 401, { to, error: "This is not the operator key." });
}

/** The form, in place of the page that was asked for. */
export function signInPage(c: Context, status: 200 | 401, { to = addressOf(c), error }: SignInProps = {}) {
  return c.html(
    page({
      title: "Operator",
      children: (
        <section class="card lone">
          <h1>Operator</h1>
          <p>Enterprises, their credits, keys and webhooks. Sign in with the operator key of this deployment.</p>
          <form class="form" method="post" action={SIGN_IN_PATH} autocomplete="off">
            <input type="hidden" name="to" value={to} />
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
            The key is the deployment's secret <code>OPERATOR_KEY</code>; with <code>npm start</code> it stands in{" "}
            <code>.dev.vars</code>. You stay signed in for {HOURS} hours.
          </p>
        </section>
      ),
    }),
    status,
  );
}

type SignInProps = { to?: string; error?: string };

function addressOf(c: Context): string {
  const { pathname, search } = new URL(c.req.url);
  return c.req.method === "GET" ? pathname + search : "/operator";
}
