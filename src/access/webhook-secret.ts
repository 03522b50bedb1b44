/**
 * The secret that signs an enterprise's webhooks, in the format of the Standard Webhooks spec. It is derived from the
 * deployment's secret and the webhook's URL, so nothing is stored and another URL has another secret.
 */
import { macOf } from "./mac.ts";

export async function webhookSecretOf(secret: string, enterprise: string, url: string): Promise<string> {
  const mac = await macOf(secret, "webhook", `${enterprise}\n${url}`);
  return `whsec_${mac.replaceAll("-", "+").replaceAll("_", "/")}`;
}
