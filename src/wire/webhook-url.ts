/**
 * Where webhooks may go: https, to a public name. Addresses and local names are refused, so that nobody can point the
 * deployment at what only it can reach.
 */
import { link } from "./fields.ts";

const LOCAL = /(^|\.)(localhost|localdomain|local|internal|intranet|private|lan|home|corp|arpa)$/;
/** However an IPv4 address was written, parsing has made four decimal numbers of it. */
const ADDRESS = /^(\[.*\]|[0-9.]+)$/;

export const webhookUrl = link.refine(isPublicHttps, "must be https to a public host name, without user or port");

function isPublicHttps(text: string): boolean {
  // Asked even of what is no URL at all, which has its own complaint.
  if (!URL.canParse(text)) return true;
  const { protocol, hostname, username, password, port } = new URL(text);
  if (protocol !== "https:" || username !== "" || password !== "" || port !== "") return false;
  // A dot at the end only says that the name is whole.
  const name = hostname.replace(/\.$/, "");
  return name.includes(".") && !ADDRESS.test(name) && !LOCAL.test(name);
}
