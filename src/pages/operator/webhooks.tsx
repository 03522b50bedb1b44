/**
 * Webhooks of an enterprise: their URL, the log of deliveries, and a test event. The secret that signs them is shown only
 * in the answer to the form that set a new URL.
 */
import { Hono } from "hono";
import { byOf, hasOperatorScope } from "../../access/callers.ts";
import { isOver } from "../../access/limits.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { putEnterprise } from "../../operations/provision.ts";
import { cutPage } from "../../wire/paging.ts";
import { parseWebhook } from "../../wire/webhook.ts";
import { ShownOnce } from "../kit/dialogs.tsx";
import { errorsOfRefusal, Field, type Form, hasErrors, PostButton, PostForm, readForm } from "../kit/form.tsx";
import { mayOpen } from "./access.ts";
import { Deliveries } from "./deliveries.tsx";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { beforeOf } from "./frame.tsx";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";
import { parseSettings } from "./settings-form.tsx";

const PATH = "/operator/enterprises/:e/webhooks";
const PAGE_ROWS = 20;
export const enterpriseWebhooks = new Hono<OperatorEnv>()
  .get(PATH, (c) => webhooksPage(c, { values: { webhook_url: c.var.state.settings.webhookUrl ?? "" }, errors: {} }))
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const parsed = parseSettings(values, ["webhook_url"]);
    if ("errors" in parsed) return webhooksPage(c, { values, errors: parsed.errors });
    const { id } = c.var.state.identity;
    const put = await putEnterprise(c.env, c.req.url, id, parsed.sent, byOf(c.var.caller));
    if (isRefusal(put)) return webhooksPage(c, { values, errors: errorsOfRefusal(put.refusal, "webhook_url") });
    if (put.webhookSecret === null) return c.redirect(doneHref(put.state, "webhooks", "saved"), 303);
    return enterprisePage(
      c,
      "webhooks",
      <ShownOnce title="The webhook secret" secret={put.webhookSecret} back={tabHref(id, "webhooks")}>
        Webhooks now go to <span class="name">{put.state.settings.webhookUrl}</span>. Copy the secret now: it is shown
        only once. The receiver verifies webhooks with it, using any Standard Webhooks library.
      </ShownOnce>,
    );
  })
  .post(`${PATH}/test`, async (c) => {
    if (await isOver(c.env, "LIMIT_COSTLY", `webhook test page ${c.var.state.identity.id}`))
      return operatorProblem(c, "rate_limited");
    const queued = await enterpriseStub(c.env, c.var.address).testWebhook();
    if (!isRefusal(queued)) return c.redirect(doneHref(c.var.state, "webhooks", "queued"), 303);
    return webhooksPage(c, { values: {}, errors: errorsOfRefusal(queued.refusal, "webhook_url") });
  });

async function webhooksPage(c: OperatorContext, form: Form) {
  const { identity, settings } = c.var.state;
  const path = tabHref(identity.id, "webhooks");
  const { caller } = c.var;
  const mayChange = mayOpen(caller, `POST ${PATH}`);
  // As in the API, the log needs the scope `metrics`.
  const log = hasOperatorScope(caller, ["metrics"])
    ? await enterpriseStub(c.env, c.var.address).webhooks(beforeOf(c), PAGE_ROWS)
    : [];
  if (isRefusal(log)) return operatorProblem(c, "not_found");
  const { rows, last } = cutPage(log, PAGE_ROWS);
  const children = (
    <>
      <section class="card" aria-labelledby="address-title">
        <h2 id="address-title">URL</h2>
        {!mayChange && <p class="name">{settings.webhookUrl ?? "None: nothing is sent."}</p>}
        {mayChange && (
          <PostForm form={form} action={path} submit="Save">
            <Field
              form={form}
              name="webhook_url"
              label="Webhooks go to"
              optional
              maxlength={2000}
              hint="An https URL with a public host name. It receives an event when a threshold is crossed. A new URL gets a new secret. Leave it empty to send nothing."
            />
          </PostForm>
        )}
      </section>
      <section class="card table" aria-labelledby="log-title">
        <div class="head">
          <h2 id="log-title">Deliveries</h2>
          {mayChange && settings.webhookUrl !== null && (
            <PostButton action={enterpriseHref(identity.id, "webhooks", "test")} label="Send a test event" />
          )}
        </div>
        <Deliveries
          webhooks={rows.map(({ view }) => parseWebhook(view))}
          path={path}
          before={last === null ? null : String(last.number)}
          later={c.req.query("before") !== undefined}
        />
      </section>
    </>
  );
  return enterprisePage(c, "webhooks", children, hasErrors(form) ? 422 : 200);
}
