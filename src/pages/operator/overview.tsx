/**
 * An enterprise at a glance: its gauge, read from the ledger, its alerts, and the operator's most frequent tasks: making a
 * sign-in link, signing a person out, suspending and resuming, and moving a test clock.
 */
import { Hono } from "hono";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { putEnterprise } from "../../operations/provision.ts";
import { makeLink } from "../../operations/sign-in.ts";
import { id, time } from "../../wire/fields.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { newSession } from "../../wire/sign-in.ts";
import { errorsOf, errorsOfRefusal, type Form, hasErrors, readForm } from "../kit/form.tsx";
import { latestChanges } from "./changes.ts";
import { Question, ShownOnce } from "./dialogs.tsx";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { formatUtc } from "./frame.tsx";
import { Entries } from "./journal.tsx";
import { ClockForm, Consumption, LinkForm, SignOutForm, Suspension } from "./overview-view.tsx";
import { parseUtcField } from "./parse-fields.ts";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e";
const CHANGES_SHOWN = 6;
const BLANK_LINK: Form = { values: { role: "member" }, errors: {} };
const BLANK: Form = { values: {}, errors: {} };

export const enterpriseOverview = new Hono<OperatorEnv>()
  .get(PATH, (c) => overviewPage(c, {}))
  .post(`${PATH}/link`, async (c) => {
    const values = await readForm(c);
    const parsed = newSession.safeParse({ user: (values.user ?? "").trim(), role: values.role });
    if (!parsed.success) return overviewPage(c, { link: { values, errors: errorsOf(fieldErrors(parsed.error)) } });
    const { id } = c.var.state.identity;
    const link = await makeLink(c.env, c.req.url, c.var.address, parsed.data);
    if (isRefusal(link)) return operatorProblem(c, "not_found");
    const { user, role } = parsed.data;
    return enterprisePage(
      c,
      "overview",
      <ShownOnce title="The sign-in link" secret={link.url} href={link.url} back={tabHref(id, "overview")}>
        It works once and signs a browser in to the dashboard as <strong class="name">{user}</strong> ({role}), until{" "}
        {formatUtc(link.expiresAtMs)} UTC.
      </ShownOnce>,
    );
  })
  .post(`${PATH}/sign-out`, async (c) => {
    const values = await readForm(c);
    const user = id.safeParse((values.signed_out_user ?? "").trim());
    if (!user.success) {
      const faults = user.error.issues.map(({ message }) => ({ path: "signed_out_user", message }));
      return overviewPage(c, { signOut: { values, errors: errorsOf(faults) } });
    }
    const ended = await enterpriseStub(c.env, c.var.address).signOutPerson(user.data);
    if (isRefusal(ended)) return operatorProblem(c, "not_found");
    return c.redirect(doneHref(c.var.state, "overview", "signed_out"), 303);
  })
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

async function suspend(c: OperatorContext, suspended: boolean) {
  const put = await putEnterprise(c.env, c.req.url, c.var.state.identity.id, { suspended });
  if (isRefusal(put)) return operatorProblem(c, "not_found");
  return c.redirect(doneHref(put.state, "overview", suspended ? "suspended" : "resumed"), 303);
}

async function overviewPage(
  c: OperatorContext,
  { link = BLANK_LINK, clock = BLANK, signOut = BLANK }: { link?: Form; clock?: Form; signOut?: Form },
) {
  const { state } = c.var;
  const changes = await latestChanges(c, CHANGES_SHOWN);
  const children = (
    <>
      <Consumption state={state} />
      <div class="pair">
        <LinkForm id={state.identity.id} form={link} />
        <SignOutForm id={state.identity.id} form={signOut} />
        <Suspension state={state} />
        {state.identity.testClockMs !== null && <ClockForm state={state} form={clock} />}
      </div>
      <section class="card table" aria-labelledby="changes-title">
        <h2 id="changes-title">Latest changes</h2>
        <Entries entries={changes} />
        <p class="more">
          <a href={tabHref(state.identity.id, "journal")}>The whole journal</a>
        </p>
      </section>
    </>
  );
  return enterprisePage(c, "overview", children, [link, clock, signOut].some(hasErrors) ? 422 : 200);
}
