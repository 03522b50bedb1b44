/**
 * Creates an enterprise or changes its settings. Adds the enterprise to the catalog's list before creating it. Returns
 * the secret that signs the webhooks only if the request sets a new webhook URL.
 */
import type { Denied } from "../access/refusals.ts";
import { signingSecret } from "../access/secrets.ts";
import { webhookSecretOf } from "../access/webhook-secret.ts";
import { catalogOf } from "../catalog/object.ts";
import type { StateJson } from "../enterprise/answers.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { completeSettings } from "../ledger/settings.ts";
import { type EnterprisePut, patchOf } from "../wire/enterprise.ts";
import { hostOf } from "../wire/webhook-url.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

/** `webhookSecret` is null unless `webhook_url` was set to a new URL. */
type Put = { created: boolean; state: StateJson; webhookSecret: string | null };

/** @param site the URL of the request, used to refuse a webhook URL on the deployment's own host */
export async function putEnterprise(
  env: Env,
  site: string,
  id: string,
  requested: EnterprisePut,
): Promise<Put | Refused | Denied> {
  if (typeof requested.webhook_url === "string" && hostOf(requested.webhook_url) === hostOf(site)) {
    const message = "must not be this deployment's own host";
    return refuse({ code: "validation_failed", errors: [{ path: "webhook_url", message }] });
  }
  const patch = patchOf(requested);
  const complete = completeSettings(patch);
  // Add the enterprise to the list first. Every existing enterprise must be listed; a listed one need not exist yet.
  if (complete !== null) await catalogOf(env).enrol(id);
  const put = await enterpriseStub(env, id).provision(id, patch, complete, requested.test_clock);
  if (isRefusal(put)) return put;
  const { state, created, newWebhookUrl } = put;
  const webhookSecret = newWebhookUrl === null ? null : await webhookSecretOf(signingSecret(env), id, newWebhookUrl);
  return { created, state, webhookSecret };
}
