/**
 * Where webhooks may go: https, to a public DNS name. Refuses addresses and names that lead to private networks, so
 * that nobody can make the deployment call what only the deployment can reach. DNS itself is not asked: the Worker's
 * runtime refuses private addresses when it connects (`global_fetch_strictly_public` in wrangler.toml).
 */
import { hasUnseen, link } from "./fields.ts";

/** Top-level and well-known suffixes that are never public (RFC 6761, RFC 7686, RFC 8375, Kubernetes, home routers). */
const PRIVATE_SUFFIXES = [
  "localhost",
  "localdomain",
  "local",
  "internal",
  "intranet",
  "private",
  "lan",
  "home",
  "corp",
  "arpa",
  "svc",
  "onion",
  "test",
  "invalid",
];
/** Services whose names resolve to the address written in the name: `10.0.0.1.nip.io`. */
const ADDRESS_SUFFIXES = ["nip.io", "sslip.io", "xip.io"];
const REFUSED_SUFFIX = new RegExp(
  `(^|\\.)(${[...PRIVATE_SUFFIXES, ...ADDRESS_SUFFIXES].map((suffix) => suffix.replace(".", "\\.")).join("|")})$`,
);
/** URL parsing turns every spelling of an IPv4 address into four decimal numbers. */
const ADDRESS = /^(\[.*\]|[0-9.]+)$/;

export const PUBLIC_HTTPS_RULE = "must be https to a public host name, without user or port";

export const webhookUrl = link.refine(isPublicHttps, PUBLIC_HTTPS_RULE);

/** The host of an accepted URL as DNS compares it: lower case, without the dot that may end a full name. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/\.$/, "");
}

export function isPublicHttps(text: string): boolean {
  // zod runs this check even when `link` has already refused the text.
  if (!URL.canParse(text)) return true;
  if (hasUnseen(text)) return false;
  if (new URL(text).protocol !== "https:" || /[@:]/.test(authorityOf(text))) return false;
  const host = hostOf(text);
  return isDnsName(host) && !ADDRESS.test(host) && !REFUSED_SUFFIX.test(host);
}

/** Whether the host has at least two labels of 1 to 63 characters. An empty label hides the suffix: `localhost..`. */
function isDnsName(host: string): boolean {
  const labels = host.split(".");
  return labels.length > 1 && host.length <= 253 && labels.every((label) => label.length > 0 && label.length <= 63);
}

/** Returns what the text writes between the slashes and the path. URL parsing hides an empty user and port 443. */
function authorityOf(text: string): string {
  return /^https:[/\\]*([^/\\?#]*)/i.exec(text)?.[1] ?? "";
}
