/**
 * Wakes the enterprises of an earlier release, so that each stores its webhook secret, which was derived from
 * SIGNING_SECRET. The schedule runs this, a portion each time, until none is left; the metric
 * `fuelgauge_webhook_secrets_to_store` shows how many are. An enterprise that fails is tried again by the next run.
 */
import { catalogOf } from "../catalog/object.ts";
import { findEnterprise } from "./enterprise-stub.ts";

const ENTERPRISES_AT_ONCE = 20;
const ENTERPRISES_PER_RUN = 500;

/** Returns how many enterprises are still to do. */
export async function storeWebhookSecrets(env: Env): Promise<number> {
  const catalog = catalogOf(env);
  const failedNow = new Set<string>();
  for (let done = 0; done < ENTERPRISES_PER_RUN; done += ENTERPRISES_AT_ONCE) {
    const { ids } = await catalog.webhookSecretsToStore(ENTERPRISES_AT_ONCE);
    // Enterprises that have failed come last. Once they come again, everything was tried.
    if (ids.every((id) => failedNow.has(id))) break;
    const results = await Promise.allSettled(
      ids.map(async (id) => (await findEnterprise(env, id))?.storeWebhookSecret()),
    );
    const failed = ids.filter((_, i) => results[i]?.status === "rejected");
    for (const id of failed) failedNow.add(id);
    await catalog.webhookSecretsStored(
      ids.filter((id) => !failed.includes(id)),
      failed,
    );
  }
  for (const id of failedNow) console.error(JSON.stringify({ event: "webhook_secret_not_stored", enterprise: id }));
  return (await catalog.webhookSecretsToStore(0)).left;
}
