/**
 * The start page, which introduces Fuelgauge to visitors. In local demo mode it also lists the demo enterprises, each with
 * buttons that sign in without a link; in a deployment their route does not exist.
 */

import { type Context, Hono } from "hono";
import type { FC } from "hono/jsx";
import { OPERATOR } from "../../access/callers.ts";
import { readSession, startSession } from "../../access/session.ts";
import { findAddress } from "../../catalog/addresses.ts";
import { catalogOf } from "../../catalog/object.ts";
import type { StateJson } from "../../enterprise/answers.ts";
import { EVERY_ID } from "../../ledger/budget.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { demoEditorUrl, isDemoMode } from "../../operations/demo-mode.ts";
import { findEnterprise } from "../../operations/enterprise-stub.ts";
import { issueToken } from "../../operations/sign-in.ts";
import { isId } from "../../wire/fields.ts";
import { readForm } from "../kit/form.tsx";
import { formatAmount, formatCharge, formatPercent } from "../kit/format.ts";
import { page } from "../kit/layout.tsx";
import { problemPage } from "../kit/problem-page.tsx";
import { type PageEnv, refuseCrossOrigin } from "../kit/session.ts";

const MAX_DEMOS = 12;
const DEMO_USER = "demo";

export const homePages = new Hono<PageEnv>()
  .get("/", async (c) => {
    const demos = isDemoMode(c.env) ? await loadDemos(c) : null;
    if (demos === null && (await readSession(c)) !== null) return c.redirect("/settings/usage", 303);
    return c.html(
      page({
        title: "Credits for AI agents, to the last unit",
        children: (
          <section class="hero">
            <h1>See the credits fall, and know when they run out.</h1>
            <p class="intro">
              Fuelgauge is the credit ledger and usage dashboard of a platform on which AI agents work. Agents report
              the tokens they use while a model still streams. The balance falls at once, and everyone who needs to know
              is notified.
            </p>
            {demos === null ? <HowToSignIn /> : <Demos demos={demos} editorUrl={demoEditorUrl(c.env)} />}
            <p>
              Developers: see the <a href="/docs">API reference</a>.
            </p>
          </section>
        ),
      }),
    );
  })
  .post("/demo/signin", refuseCrossOrigin, async (c) => {
    if (!isDemoMode(c.env)) return problemPage(c, "not_found");
    const { enterprise, role, user = DEMO_USER } = await readForm(c);
    if (enterprise === undefined || !isId(enterprise) || !isId(user)) return problemPage(c, "not_found");
    const who = { user, role: role === "admin" && user === DEMO_USER ? "admin" : "member" } as const;
    const address = await findAddress(c.env, enterprise);
    if (address === null) return problemPage(c, "not_found");
    const state = await issueToken(c.env, address, { ...who, kind: "session" });
    if (isRefusal(state) || !state.identity.demo) return problemPage(c, "not_found");
    await startSession(c, { ...who, ...address, issuedAtMs: state.issuedAtMs });
    return c.redirect("/settings/usage", 303);
  });

const HowToSignIn: FC = () => (
  <p class="card">
    To see your enterprise's usage, open <em>Settings › Usage</em> in your platform, or ask your admin for a sign-in
    link.
  </p>
);

/** A demo enterprise, and a member whose budget refuses new runs; null if there is none. */
type Demo = StateJson & { stopped: { id: string; name: string } | null };

const Demos: FC<{ demos: Demo[]; editorUrl: string | null }> = ({ demos, editorUrl }) => (
  <>
    <h2>Demo enterprises</h2>
    {demos.length === 0 && <p class="card">They are being created. Reload this page in a few seconds.</p>}
    <ul class="demos">
      {demos.map(({ identity, gauge, stopped }) => (
        <li class="card">
          <h3>
            <bdi>{gauge.name}</bdi>
          </h3>
          <p class="muted">
            {gauge.billing_model === "byom" ? "Brings its own model" : `Credits, ${gauge.plan} plan`} ·{" "}
            {gauge.total_micros === null
              ? `${formatCharge(gauge.used_micros, gauge.unit)} spent`
              : `${formatAmount(gauge.used_micros, gauge.unit)} of ${formatCharge(gauge.total_micros, gauge.unit)} (${formatPercent(gauge.used_micros, gauge.total_micros)})`}
          </p>
          <form method="post" action="/demo/signin">
            <input type="hidden" name="enterprise" value={identity.id} />
            <button class="button" type="submit" name="role" value="admin">
              Sign in as admin
            </button>{" "}
            <button class="button plain" type="submit" name="role" value="member">
              As member
            </button>{" "}
            {stopped !== null && (
              <button class="button plain" type="submit" name="user" value={stopped.id}>
                <span>
                  As <bdi>{stopped.name}</bdi>, out of budget
                </span>
              </button>
            )}
          </form>
        </li>
      ))}
    </ul>
    {editorUrl !== null && (
      <p>
        <a href={editorUrl}>Open the demo editor</a>, which embeds the usage bar in its header. Start an agent there and
        watch the bar fall.
      </p>
    )}
    <p>
      The operator manages all of them at <a href="/operator">/operator</a>.
    </p>
  </>
);

async function loadDemos(c: Context<PageEnv>): Promise<Demo[]> {
  const ids = await catalogOf(c.env).demos(MAX_DEMOS);
  const demos = await Promise.all(ids.map((id) => loadDemo(c, id)));
  return demos.filter((demo) => demo !== null).sort((a, b) => a.gauge.name.localeCompare(b.gauge.name));
}

async function loadDemo(c: Context<PageEnv>, id: string): Promise<Demo | null> {
  const stub = await findEnterprise(c.env, id);
  if (stub === null) return null;
  const [state, reached] = await Promise.all([stub.state(OPERATOR), stub.budgetsReached(OPERATOR, "user")]);
  if (isRefusal(state)) return null;
  const stopped = isRefusal(reached) ? undefined : reached.find((budget) => budget.id !== EVERY_ID);
  return { ...state, stopped: stopped ?? null };
}
