/**
 * Derives the secret that signs an enterprise's webhooks, in the format of the Standard Webhooks spec. The secret
 * depends on SIGNING_SECRET, the enterprise and the webhook URL. It is therefore not stored, and a new URL gets a new
 * secret.
 */
import { macOf } from "./mac.ts";

export async function webhookSecretOf(secret: string, enterprise: string, url: string): Promise<string> {
  const mac = await macOf(secret, "webhook", `${enterprise}\n${url}`);
  return `whsec_${mac.replaceAll("-", "+").replaceAll("_", "/")}`;
}
