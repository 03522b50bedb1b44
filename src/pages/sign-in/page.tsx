/**
 * Signing in and out. A sign-in link shows a page with one button, and only that button's POST uses the link, so that
 * programs that scan links in emails cannot. Signing out is a POST, too; its GET shows the button.
 */

import { type Context, Hono } from "hono";
import type { FC } from "hono/jsx";
import { failedTooOften, isOver } from "../../access/limits.ts";
import { signingSecrets } from "../../access/secrets.ts";
import { clearSession, readSession, startSession } from "../../access/session.ts";
import { readToken, type TokenClaims } from "../../access/tokens.ts";
import { renewRestoring } from "../../catalog/restoring.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readForm } from "../kit/form.tsx";
import { page } from "../kit/layout.tsx";
import { problemPage } from "../kit/problem-page.tsx";
import { callerOf, type PageEnv, refuseCrossOrigin, requireSameOrigin } from "../kit/session.ts";

export const signInPages = new Hono<PageEnv>()
  .get("/signin", async (c) => {
    const token = c.req.query("token") ?? "";
    const link = await readToken(signingSecrets(c.env), "link", token);
    if (link === null) return refuseLink(c);
    const names = await namesOf(c, link);
    return c.html(
      page({
        title: "Sign in",
        children: (
          <section class="card lone">
            <h1>Sign in</h1>
            <p>
              As <Person {...names} /> ({link.role}) of <Enterprise {...names} />.
            </p>
            <form method="post" action="/signin">
              <input type="hidden" name="token" value={token} />
              <button class="button" type="submit">
                Sign in
              </button>
            </form>
            <p class="muted">This link works once, for five minutes. You stay signed in for twelve hours.</p>
          </section>
        ),
      }),
    );
  })
  .post("/signin", refuseCrossOrigin, async (c) => {
    const { token } = await readForm(c);
    const link = await readToken(signingSecrets(c.env), "link", token ?? "");
    if (link === null) return refuseLink(c);
    // A link that was used but is still tried stops waking the object.
    if (await isOver(c.env, "LIMIT_COSTLY", `link ${link.id}`)) return problemPage(c, "rate_limited");
    const { user, role, issuedAtMs } = link;
    await renewRestoring(c.env, c.executionCtx);
    const object = enterpriseStub(c.env, link);
    const used = await object.useLink(link.id, link.expiresAtMs, { user, role, issuedAtMs });
    if (isRefusal(used)) return problemPage(c, used.refusal.code === "link_used" ? "link_used" : "link_invalid");
    // An object of the last release does not choose the time of issue.
    await startSession(c, { ...link, issuedAtMs: used.issuedAtMs ?? Date.now() });
    return c.redirect("/settings/usage", 303);
  })
  .get("/signout", async (c) => {
    const who = await readSession(c);
    if (who === null) return c.redirect("/", 303);
    const names = await namesOf(c, who);
    return c.html(
      page({
        title: "Sign out",
        children: (
          <section class="card lone">
            <h1>Sign out?</h1>
            <p>
              You are signed in as <Person {...names} /> of <Enterprise {...names} />.
            </p>
            <form method="post" action="/signout">
              <button class="button" type="submit">
                Sign out
              </button>
            </form>
          </section>
        ),
      }),
    );
  })
  .post("/signout", requireSameOrigin, async (c) => {
    const who = await readSession(c);
    // If this call fails, the cookie stays, so that the person sees the failure and can try again.
    if (who !== null) await enterpriseStub(c.env, who).endSession(callerOf(who));
    clearSession(c);
    return c.redirect("/", 303);
  });

type Names = { person: string; enterprise: string };

const Person: FC<Names> = ({ person }) => (
  <strong>
    <bdi>{person}</bdi>
  </strong>
);

const Enterprise: FC<Names> = ({ enterprise }) => (
  <strong>
    <bdi>{enterprise}</bdi>
  </strong>
);

/** Returns the names of a person and their enterprise. Returns the ids if the names cannot be read, or not that often. */
async function namesOf(c: Context<PageEnv>, claims: TokenClaims): Promise<Names> {
  const ids = { person: claims.user, enterprise: claims.enterprise };
  if (await isOver(c.env, "LIMIT_COSTLY", `names ${claims.id}`)) return ids;
  try {
    const { user, role } = claims;
    const view = await enterpriseStub(c.env, claims).copyView({ kind: "user", user, role });
    return isRefusal(view) ? ids : { person: view.userName ?? user, enterprise: view.gauge.name };
  } catch {
    return ids;
  }
}

/** Answers a link that is forged, expired or missing; an address that sends many has to wait. */
async function refuseLink(c: Context<PageEnv>): Promise<Response> {
  const over = await failedTooOften(c.env, c.req.raw.headers);
  return problemPage(c, over ? "rate_limited" : "link_invalid");
}
