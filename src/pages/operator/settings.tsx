/**
 * The settings of an enterprise. The form sends the values it was loaded with, and only fields that differ from them are
 * written, so that two people who change different fields do not undo each other's change.
 */
import { Hono } from "hono";
import { byOf } from "../../access/callers.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { readPlans } from "../../operations/plans.ts";
import { putEnterprise } from "../../operations/provision.ts";
import { errorsOfRefusal, type Form, PostForm, readForm } from "../kit/form.tsx";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import type { OperatorContext, OperatorEnv } from "./session.tsx";
import { changeableSettings, parseSettings, SettingsFields, valuesOf } from "./settings-form.tsx";

const PATH = "/operator/enterprises/:e/settings";

export const enterpriseSettings = new Hono<OperatorEnv>()
  .get(PATH, (c) => {
    const known = valuesOf(c.var.state.settings);
    const values = Object.fromEntries(changeableSettings(c.var.caller).map((name) => [name, known[name]]));
    return settingsPage(c, { values, errors: {} }, values);
  })
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const loaded = loadedOf(values.loaded);
    const changed = changeableSettings(c.var.caller).filter((name) => (values[name] ?? "") !== loaded[name]);
    const parsed = parseSettings(values, changed);
    if ("errors" in parsed) return settingsPage(c, { values, errors: parsed.errors }, loaded);
    const put = await putEnterprise(c.env, c.req.url, c.var.state.identity.id, parsed.sent, byOf(c.var.caller));
    if (isRefusal(put)) return settingsPage(c, { values, errors: errorsOfRefusal(put.refusal, "name") }, loaded);
    return c.redirect(doneHref(put.state, "settings", "saved"), 303);
  });

/** @param loaded the fields' values when the form was loaded */
async function settingsPage(c: OperatorContext, form: Form, loaded: Record<string, string>) {
  const { plans } = await readPlans(c.env);
  const children = (
    <section class="card" aria-labelledby="settings-title">
      <h2 id="settings-title">Settings</h2>
      <PostForm
        form={form}
        action={tabHref(c.var.state.identity.id, "settings")}
        submit="Save"
        hidden={{ loaded: JSON.stringify(loaded) }}
        wide
      >
        <SettingsFields form={form} plans={plans} caller={c.var.caller} />
      </PostForm>
    </section>
  );
  return enterprisePage(c, "settings", children, Object.keys(form.errors).length > 0 ? 422 : 200);
}

function loadedOf(text: string | undefined): Record<string, string> {
  try {
    const loaded: unknown = JSON.parse(text ?? "");
    return typeof loaded === "object" && loaded !== null ? (loaded as Record<string, string>) : {};
  } catch {
    return {};
  }
}
