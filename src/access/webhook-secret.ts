/**
 * Derives the secret that signed an enterprise's webhooks in the last release, from SIGNING_SECRET, the enterprise and
 * the webhook URL. Now each URL has a stored random secret. An object of the last release stores the derived one when it
 * wakes. Delete this file in the release after the next.
 */
import { macOf } from "./mac.ts";

export async function webhookSecretOf(secret: string, enterprise: string, url: string): Promise<string> {
  const mac = await macOf(secret, "webhook", `${enterprise}\n${url}`);
  return `whsec_${mac.replaceAll("-", "+").replaceAll("_", "/")}`;
}
