/**
 * /settings/upgrade: where upgrade links lead if neither the enterprise nor the deployment has one. It says whom to ask.
 * If there is a link, this page leads there, because it may have been set after the reader's page was loaded.
 */
import { type Context, Hono } from "hono";
import type { FC } from "hono/jsx";
import type { Gauge } from "../../ledger/gauge.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { UPGRADE_PAGE } from "../../wire/links.ts";
import { formatCharge } from "../kit/format.ts";
import { page } from "../kit/layout.tsx";
import { answerRefused, callerOf, type PageEnv, requireSession } from "../kit/session.ts";
import { loadView, type PageView, signedOf } from "../kit/view.ts";

export const upgradePages = new Hono<PageEnv>().get(UPGRADE_PAGE, requireSession, async (c) => {
  const view = await loadView(c);
  if (isRefusal(view)) return answerRefused(c, view.refusal);
  const state = await enterpriseStub(c.env, c.var.session).state(callerOf(c.var.session));
  const upgradeUrl = isRefusal(state) ? null : (state.links ?? state.settings).upgradeUrl;
  return upgradeUrl === null ? upgradePage(c, view) : c.redirect(upgradeUrl, 303);
});

function upgradePage(c: Context<PageEnv>, view: PageView) {
  const { gauge } = view;
  const title = gauge.spend === null ? "More credits" : "A higher spend cap";
  const ask =
    gauge.spend === null ? (
      <AskForCredits session={c.var.session} gauge={gauge} />
    ) : (
      <AskForCap session={c.var.session} gauge={gauge} />
    );
  return c.html(
    page({
      title,
      signed: signedOf(c, view),
      children: (
        <section class="card lone">
          <h1>{title}</h1>
          {ask}
          <p>
            <a href="/settings/usage">Go back to the usage</a>
          </p>
        </section>
      ),
    }),
  );
}

type AskProps = { session: PageEnv["Variables"]["session"]; gauge: Gauge };

const AskForCredits: FC<AskProps> = ({ session, gauge }) => (
  <>
    <p>
      <bdi>{gauge.name}</bdi> has the plan <strong>{gauge.plan}</strong>, with{" "}
      {formatCharge(gauge.monthly?.allowanceMicros ?? 0, "credits")} in this cycle.
    </p>
    {session.role === "admin" ? (
      <p>
        For a larger plan or more credits, ask the team that provides this service. Tell them the enterprise's id:{" "}
        <code>{session.enterprise}</code>
      </p>
    ) : (
      <p>
        For a larger plan or more credits, ask an admin of <bdi>{gauge.name}</bdi>.
      </p>
    )}
  </>
);

/** An enterprise that brings its own model has no credits to buy. */
const AskForCap: FC<AskProps> = ({ session, gauge }) => (
  <>
    <p>
      <bdi>{gauge.name}</bdi> pays its own model provider. Its limit is the monthly spend cap.
    </p>
    <p>
      {session.role === "admin" ? (
        <>
          You can change the cap under <a href="/settings/model">Model</a>.
        </>
      ) : (
        <>
          An admin of <bdi>{gauge.name}</bdi> can change the cap.
        </>
      )}
    </p>
  </>
);
