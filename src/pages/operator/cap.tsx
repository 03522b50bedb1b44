/** The spend cap of an enterprise that brings its own model. A cap that is already spent needs a confirmation. */

import { Hono } from "hono";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { capName, capText, isSpent, parseCap, previewOf } from "../kit/cap.ts";
import { Question } from "../kit/dialogs.tsx";
import { Field, type Form, hasErrors, PostForm, readForm } from "../kit/form.tsx";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e/cap";

export const enterpriseCap = new Hono<OperatorEnv>()
  .use(PATH, async (c, next) =>
    c.var.state.settings.billingModel === "byom" ? next() : operatorProblem(c, "not_byom"),
  )
  .get(PATH, (c) => {
    const { capMicros } = c.var.state;
    return capPage(c, { values: { cap: capMicros === null ? "" : capText(capMicros) }, errors: {} });
  })
  .post(PATH, async (c) => {
    const { state } = c.var;
    const values = await readForm(c);
    const typed = (values.cap ?? "").trim();
    const capMicros = typed === "" ? null : parseCap(typed);
    if (typeof capMicros === "string") return capPage(c, { values, errors: { cap: capMicros } });
    if (isSpent(state.gauge, capMicros) && values.confirmed !== "yes") {
      const path = tabHref(state.identity.id, "cap");
      const title = "This cap is below what is already spent";
      const children = (
        <Question
          title={title}
          action={path}
          confirm={`Set the cap to ${capName(capMicros)}`}
          back={path}
          values={{ cap: typed }}
        >
          {previewOf(state.gauge, capMicros, state.settings.timeZone)} Running agents are asked to stop.
        </Question>
      );
      return enterprisePage(c, "cap", children);
    }
    const gauge = await enterpriseStub(c.env, c.var.address).setCap(c.var.caller, capMicros);
    if (isRefusal(gauge)) return operatorProblem(c, "not_byom");
    return c.redirect(doneHref(state, "cap", "saved"), 303);
  });

function capPage(c: OperatorContext, form: Form) {
  const { identity, gauge, settings, capMicros } = c.var.state;
  const children = (
    <section class="card" aria-labelledby="cap-title">
      <h2 id="cap-title">Monthly spend cap</h2>
      <p>{previewOf(gauge, capMicros, settings.timeZone)}</p>
      <PostForm form={form} action={tabHref(identity.id, "cap")} submit="Save">
        <Field
          form={form}
          name="cap"
          label="Cap in dollars a month"
          optional
          inputmode="decimal"
          maxlength={16}
          hint="From $1.00 to $1,000,000.00. Leave it empty for no cap."
        />
      </PostForm>
    </section>
  );
  return enterprisePage(c, "cap", children, hasErrors(form) ? 422 : 200);
}
