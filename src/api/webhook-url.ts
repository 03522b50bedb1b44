/**
 * Where webhooks may go: https, to a public name. Addresses and local names are refused, so that nobody can point the
 * deployment at what only it can reach.
 */
import { link } from "../wire/fields.ts";

const LOCAL = /(^|\.)(localhost|local|internal|intranet|lan|home|corp|arpa)\.?$/i;
const ADDRESS = /^(\[.*\]|[0-9.]+|0x[0-9a-f]+)$/i;

export const webhookUrl = link.refine(isPublicHttps, "must be https to a public host name, without user or port");

function isPublicHttps(text: string): boolean {
  // Asked even of what is no URL at all, which has its own complaint.
  if (!URL.canParse(text)) return true;
  const { protocol, hostname, username, password, port } = new URL(text);
  if (protocol !== "https:" || username !== "" || password !== "" || port !== "") return false;
  return hostname.includes(".") && !ADDRESS.test(hostname) && !LOCAL.test(hostname);
}
