/** /operator/new: creates an enterprise. An id that is taken is refused; this form never changes an enterprise. */
import { Hono } from "hono";
import { byOf } from "../../access/callers.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { REGIONS, type Region } from "../../ledger/regions.ts";
import { findEnterprise } from "../../operations/enterprise-stub.ts";
import { readPlans } from "../../operations/plans.ts";
import { putEnterprise } from "../../operations/provision.ts";
import type { EnterprisePut } from "../../wire/enterprise.ts";
import { ID_RULE, isId, time } from "../../wire/fields.ts";
import { Choice, errorsOf, errorsOfRefusal, Field, type Form, hasErrors, PostForm, readForm } from "../kit/form.tsx";
import { doneHref } from "./enterprise-page.tsx";
import { operatorPage } from "./frame.tsx";
import { parseUtcField } from "./parse-fields.ts";
import type { OperatorContext, OperatorEnv } from "./session.tsx";
import { changeableSettings, parseSettings, SettingsFields } from "./settings-form.tsx";

const PATH = "/operator/new";
const REGION_NAMES: Record<Region | "", string> = {
  "": "No particular region",
  eu: "European Union: data stays there",
  us: "United States: data stays there",
  wnam: "Near western North America",
  enam: "Near eastern North America",
  sam: "Near South America",
  weur: "Near western Europe",
  eeur: "Near eastern Europe",
  apac: "Near Asia and the Pacific",
  oc: "Near Oceania",
  afr: "Near Africa",
  me: "Near the Middle East",
};
const DEFAULTS = {
  plan: "pro",
  billing_model: "credits",
  time_zone: "UTC",
  anchor_day: "1",
  price_multiplier: "1",
  members_see: "all",
};

export const newEnterprise = new Hono<OperatorEnv>()
  .get(PATH, (c) => newPage(c, { values: DEFAULTS, errors: {} }))
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const id = (values.id ?? "").trim();
    const settings = parseSettings(values, changeableSettings(c.var.caller));
    const clock = parseClock(values.test_clock ?? "");
    const errors = {
      ...(isId(id) ? {} : errorsOf([{ path: "id", message: ID_RULE }])),
      ...("errors" in settings ? settings.errors : {}),
      ...("errors" in clock ? clock.errors : {}),
    };
    if (Object.keys(errors).length > 0 || "errors" in settings) return newPage(c, { values, errors });
    const existing = await (await findEnterprise(c.env, id))?.state(c.var.caller);
    if (existing !== undefined && !isRefusal(existing)) {
      return newPage(c, { values, errors: { id: "An enterprise with this id already exists." } });
    }
    const region = REGIONS.find((name) => name === values.region);
    const sent = { ...settings.sent, ...("sent" in clock ? clock.sent : {}), ...(region && { region }) };
    const put = await putEnterprise(c.env, c.req.url, id, sent, byOf(c.var.caller));
    if (isRefusal(put)) {
      const field = put.refusal.code === "region_unavailable" ? "region" : "id";
      return newPage(c, { values, errors: errorsOfRefusal(put.refusal, field) });
    }
    return c.redirect(doneHref(put.state, "overview", "created"), 303);
  });

async function newPage(c: OperatorContext, form: Form) {
  const { plans } = await readPlans(c.env);
  const children = (
    <>
      <div class="heading">
        <h1>New enterprise</h1>
      </div>
      <section class="card">
        <PostForm form={form} action={PATH} submit="Create" refused="Nothing was created." wide>
          <Field
            form={form}
            name="id"
            label="Id"
            maxlength={128}
            hint="Part of every URL of the enterprise. It cannot be changed."
          />
          <SettingsFields form={form} plans={plans} caller={c.var.caller} />
          <Choice
            form={form}
            name="region"
            label="Region"
            options={REGION_NAMES}
            hint="Where the enterprise's data is kept. It cannot be changed."
          />
          <Field
            form={form}
            name="test_clock"
            label="Test clock (UTC)"
            optional
            type="datetime-local"
            hint="For tests only: a clock that moves only when you move it."
          />
        </PostForm>
      </section>
    </>
  );
  return c.html(
    operatorPage(c, { title: "New enterprise", tab: "enterprises", children }),
    hasErrors(form) ? 422 : 200,
  );
}

function parseClock(text: string): { sent: Pick<EnterprisePut, "test_clock"> } | { errors: Record<string, string> } {
  const typed = parseUtcField(text);
  if (typed === undefined) return { sent: {} };
  const parsed = time.safeParse(typed);
  if (parsed.success) return { sent: { test_clock: parsed.data } };
  return { errors: errorsOf([{ path: "test_clock", message: parsed.error.issues[0]?.message ?? "must be a time" }]) };
}
