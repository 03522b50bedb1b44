/**
 * An enterprise at a glance: its gauge, read from the ledger, its alerts and latest changes; and suspending, resuming,
 * and moving a test clock.
 */
import { Hono } from "hono";
import { byOf } from "../../access/callers.ts";
import { firstReferralCodeOf } from "../../access/referral-code.ts";
import { signingSecrets } from "../../access/secrets.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { putEnterprise } from "../../operations/provision.ts";
import { time } from "../../wire/fields.ts";
import { Question } from "../kit/dialogs.tsx";
import { errorsOf, errorsOfRefusal, type Form, hasErrors, readForm } from "../kit/form.tsx";
import { mayOpen } from "./access.ts";
import { latestChanges } from "./changes.ts";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { Entries } from "./journal.tsx";
import { ClockForm, Consumption, Ids, Suspension } from "./overview-view.tsx";
import { parseUtcField } from "./parse-fields.ts";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e";
const CHANGES_SHOWN = 6;
const BLANK: Form = { values: {}, errors: {} };

export const enterpriseOverview = new Hono<OperatorEnv>()
  .get(PATH, (c) => overviewPage(c, {}))
  .get(`${PATH}/suspend`, (c) => {
    const { id } = c.var.state.identity;
    return enterprisePage(
      c,
      "overview",
      <Question
        title="Suspend this enterprise?"
        action={enterpriseHref(id, "suspend")}
        confirm="Suspend it"
        back={tabHref(id, "overview")}
      >
        From the next request on, no new run can start. Running agents are asked to stop; their reports are still
        recorded.
      </Question>,
    );
  })
  .post(`${PATH}/suspend`, (c) => suspend(c, true))
  .post(`${PATH}/resume`, (c) => suspend(c, false))
  .post(`${PATH}/test-clock`, async (c) => {
    const values = await readForm(c);
    const now = time.safeParse(parseUtcField(values.now ?? "") ?? "");
    if (!now.success) {
      const faults = now.error.issues.map(({ message }) => ({ path: "now", message }));
      return overviewPage(c, { clock: { values, errors: errorsOf(faults) } });
    }
    const moved = await enterpriseStub(c.env, c.var.address).moveClock(now.data);
    if (isRefusal(moved)) return overviewPage(c, { clock: { values, errors: errorsOfRefusal(moved.refusal, "now") } });
    return c.redirect(doneHref(moved, "overview", "moved"), 303);
  });

/** The code with which this enterprise invites others. Those of an early release are not stored, but derived. */
async function referralCodeOf(c: OperatorContext): Promise<string> {
  const { identity, settings } = c.var.state;
  return settings.referralCode ?? (await firstReferralCodeOf(signingSecrets(c.env), identity.id));
}

async function suspend(c: OperatorContext, suspended: boolean) {
  const put = await putEnterprise(c.env, c.req.url, c.var.state.identity.id, { suspended }, byOf(c.var.caller));
  if (isRefusal(put)) return operatorProblem(c, "not_found");
  return c.redirect(doneHref(put.state, "overview", suspended ? "suspended" : "resumed"), 303);
}

async function overviewPage(c: OperatorContext, { clock = BLANK }: { clock?: Form }) {
  const { state } = c.var;
  const { caller } = c.var;
  const changes = mayOpen(caller, `GET ${PATH}/journal`) ? await latestChanges(c, CHANGES_SHOWN) : null;
  const children = (
    <>
      <Consumption state={state} />
      <Ids id={state.identity.id} referralCode={await referralCodeOf(c)} />
      {mayOpen(caller, `POST ${PATH}/suspend`) && (
        <div class="pair">
          <Suspension state={state} />
          {state.identity.testClockMs !== null && <ClockForm state={state} form={clock} />}
        </div>
      )}
      {changes !== null && (
        <section class="card table" aria-labelledby="changes-title">
          <h2 id="changes-title">Latest changes</h2>
          <Entries entries={changes} />
          <p class="more">
            <a href={tabHref(state.identity.id, "journal")}>The whole journal</a>
          </p>
        </section>
      )}
    </>
  );
  return enterprisePage(c, "overview", children, hasErrors(clock) ? 422 : 200);
}
