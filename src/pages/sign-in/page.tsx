/**
 * Signing in and out. A sign-in link shows a page with one button, and only that button's POST uses the link, so that
 * programs that scan links in emails cannot. Signing out is a POST, too; its GET shows the button.
 */

import { type Context, Hono } from "hono";
import { failedTooOften, isOver } from "../../access/limits.ts";
import { endSession, readSession, startSession } from "../../access/session.ts";
import { readToken } from "../../access/tokens.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readForm } from "../kit/form.tsx";
import { page } from "../kit/layout.tsx";
import { problemPage } from "../kit/problem-page.tsx";
import { type PageEnv, refuseCrossOrigin, requireSameOrigin } from "../kit/session.ts";

export const signInPages = new Hono<PageEnv>()
  .get("/signin", async (c) => {
    const token = c.req.query("token") ?? "";
    const link = await readToken(c.env.SIGNING_SECRET, "link", token);
    if (link === null) return refuseLink(c);
    return c.html(
      page({
        title: "Sign in",
        children: (
          <section class="card lone">
            <h1>Sign in</h1>
            <p>
              As <strong>{link.user}</strong> ({link.role}) of <strong>{link.enterprise}</strong>.
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
    const link = await readToken(c.env.SIGNING_SECRET, "link", token ?? "");
    if (link === null) return refuseLink(c);
    // A link that was used but is still tried stops waking the object.
    if (await isOver(c.env, "LIMIT_COSTLY", `link ${link.id}`)) return problemPage(c, "rate_limited");
    const used = await enterpriseStub(c.env, link.enterprise).useLink(link.id, link.expiresAtMs);
    if (isRefusal(used)) return problemPage(c, used.refusal.code === "link_used" ? "link_used" : "link_invalid");
    await startSession(c, link);
    return c.redirect("/settings/usage", 303);
  })
  .get("/signout", async (c) => {
    const who = await readSession(c);
    if (who === null) return c.redirect("/", 303);
    return c.html(
      page({
        title: "Sign out",
        children: (
          <section class="card lone">
            <h1>Sign out?</h1>
            <p>
              You are signed in as <strong>{who.user}</strong> of <strong>{who.enterprise}</strong>.
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
  .post("/signout", requireSameOrigin, (c) => {
    endSession(c);
    return c.redirect("/", 303);
  });

/** Answers a link that is forged, expired or missing; an address that sends many has to wait. */
async function refuseLink(c: Context<PageEnv>): Promise<Response> {
  const over = await failedTooOften(c.env, c.req.raw.headers);
  return problemPage(c, over ? "rate_limited" : "link_invalid");
}
