/**
 * The secret that signs what goes to the enterprise's webhook URL. Each URL gets a random one, which belongs to the URL:
 * a secret of another URL is never used. An object of the last release has none stored. Its secret was derived from
 * SIGNING_SECRET, and a job stores that, so that receivers can go on verifying with the secret that they know.
 */
import type { Settings } from "../../ledger/books.ts";
import type { Sql } from "./sql.ts";

const SECRET_BYTES = 32;

/** Makes a secret in the format of the Standard Webhooks spec. */
export function newWebhookSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
  return `whsec_${btoa(String.fromCharCode(...bytes))}`;
}

/** Loads the secret of this URL; null if none is stored. */
export function loadWebhookSecret(sql: Sql, url: string): string | null {
  const row = sql.all("SELECT secret FROM webhook_secret WHERE url = ?", url)[0];
  return (row?.secret ?? null) as string | null;
}

/** Stores the secret of the current URL. It replaces that of an earlier one. */
export function putWebhookSecret(sql: Sql, url: string, secret: string): void {
  sql.run("INSERT OR REPLACE INTO webhook_secret (only, url, secret) VALUES (1, ?, ?)", url, secret);
}

type Known = { id: string; sql: Sql; books: { settings: Pick<Settings, "webhookUrl"> } };

/** Stores the secret that the last release derived for the webhook URL, unless one is stored. */
export async function storeWebhookSecret(
  ledger: Known,
  derived: { secretOf(enterprise: string, url: string): Promise<string> },
): Promise<void> {
  const { webhookUrl } = ledger.books.settings;
  if (webhookUrl === null || loadWebhookSecret(ledger.sql, webhookUrl) !== null) return;
  const secret = await derived.secretOf(ledger.id, webhookUrl);
  // The URL may have been changed during the await.
  const changed = ledger.books.settings.webhookUrl !== webhookUrl;
  if (!changed && loadWebhookSecret(ledger.sql, webhookUrl) === null) putWebhookSecret(ledger.sql, webhookUrl, secret);
}
