/**
 * The settings of an enterprise. The form sends the values it was loaded with, and only fields that differ from them are
 * written, so that two people who change different fields do not undo each other's change.
 */
import { Hono } from "hono";
import { isRefusal } from "../../ledger/refusals.ts";
import { readPlans } from "../../operations/plans.ts";
import { putEnterprise } from "../../operations/provision.ts";
import { errorsOfRefusal, type Form, NothingSaved, readForm } from "../kit/form.tsx";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import type { OperatorContext, OperatorEnv } from "./session.tsx";
import { parseSettings, SETTINGS, SettingsFields, valuesOf } from "./settings-form.tsx";

const PATH = "/operator/enterprises/:e/settings";

export const enterpriseSettings = new Hono<OperatorEnv>()
  .get(PATH, (c) => {
    const values = valuesOf(c.var.state.settings);
    return settingsPage(c, { values, errors: {} }, values);
  })
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const loaded = loadedOf(values.loaded);
    const changed = SETTINGS.filter((name) => (values[name] ?? "") !== loaded[name]);
    const parsed = parseSettings(values, changed);
    if ("errors" in parsed) return settingsPage(c, { values, errors: parsed.errors }, loaded);
    const put = await putEnterprise(c.env, c.req.url, c.var.state.identity.id, parsed.sent);
    if (isRefusal(put)) return settingsPage(c, { values, errors: errorsOfRefusal(put.refusal, "name") }, loaded);
    return c.redirect(doneHref(put.state, "settings", "saved"), 303);
  });

/** @param loaded the fields' values when the form was loaded */
async function settingsPage(c: OperatorContext, form: Form, loaded: Record<string, string>) {
  const { plans } = await readPlans(c.env);
  const children = (
    <section class="card" aria-labelledby="settings-title">
      <h2 id="settings-title">Settings</h2>
      <NothingSaved form={form} />
      <form class="form wide" method="post" action={tabHref(c.var.state.identity.id, "settings")} data-once>
        <input type="hidden" name="loaded" value={JSON.stringify(loaded)} />
        <SettingsFields form={form} plans={plans} />
        <p class="buttons">
          <button class="button" type="submit">
            Save
          </button>
        </p>
      </form>
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
