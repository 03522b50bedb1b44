/**
 * /confirm-email: confirms the address of an email channel. The link shows a page with one button, and only that button's
 * POST confirms, so that programs that scan links in emails cannot.
 */
import { type Context, Hono } from "hono";
import { readConfirmLink } from "../../access/confirm-link.ts";
import { failedTooOften, isOver } from "../../access/limits.ts";
import { signingSecrets } from "../../access/secrets.ts";
import { renewRestoring } from "../../catalog/restoring.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readForm } from "../kit/form.tsx";
import { page } from "../kit/layout.tsx";
import { Name } from "../kit/parts.tsx";
import { problemPage } from "../kit/problem-page.tsx";
import { type PageEnv, refuseCrossOrigin } from "../kit/session.ts";

const CONFIRM_PATH = "/confirm-email";

export const confirmEmailPages = new Hono<PageEnv>()
  .get(CONFIRM_PATH, async (c) => {
    const token = c.req.query("token") ?? "";
    const link = await readConfirmLink(signingSecrets(c.env), token);
    if (link === null) return refuseLink(c);
    if (await isOver(c.env, "LIMIT_COSTLY", `confirm ${link.confirmId}`)) return problemPage(c, "rate_limited");
    await renewRestoring(c.env, c.executionCtx);
    const found = await enterpriseStub(c.env, link).readConfirmation(link.channel, link.confirmId);
    if (isRefusal(found)) return problemPage(c, "link_invalid");
    const children = (
      <section class="card lone">
        <h1>Get messages about the balance?</h1>
        <p>
          An admin of <Name>{found.name}</Name> wants to send messages about its AI credits to{" "}
          <strong class="name">{found.address}</strong>.
        </p>
        <form method="post" action={CONFIRM_PATH}>
          <input type="hidden" name="token" value={token} />
          <button class="button" type="submit">
            Confirm this address
          </button>
        </form>
        <p class="muted">If you did not expect this, close this page. Nothing is sent without your confirmation.</p>
      </section>
    );
    return c.html(page({ title: "Confirm your address", children }));
  })
  .post(CONFIRM_PATH, refuseCrossOrigin, async (c) => {
    const { token } = await readForm(c);
    const link = await readConfirmLink(signingSecrets(c.env), token ?? "");
    if (link === null) return refuseLink(c);
    if (await isOver(c.env, "LIMIT_COSTLY", `confirm ${link.confirmId}`)) return problemPage(c, "rate_limited");
    await renewRestoring(c.env, c.executionCtx);
    const confirmed = await enterpriseStub(c.env, link).confirmEmail(link.channel, link.confirmId);
    if (isRefusal(confirmed)) return problemPage(c, "link_invalid");
    const children = (
      <section class="card lone">
        <h1>Address confirmed</h1>
        <p>
          Messages now go to <strong class="name">{confirmed.address}</strong>. You can close this page.
        </p>
      </section>
    );
    return c.html(page({ title: "Address confirmed", children }));
  });

/** Answers a link that is forged, expired or missing; an address that sends many has to wait. */
async function refuseLink(c: Context<PageEnv>): Promise<Response> {
  const over = await failedTooOften(c.env, c.req.raw.headers);
  return problemPage(c, over ? "rate_limited" : "link_invalid");
}
