/**
 * Decides whether a request's connection may carry keys and cookies (rule R16). Only https, and plain http on this
 * machine, may. The decision uses only the request's URL, because a client can send any header.
 */

/** Whether the URL uses https, or plain http to localhost, 127.0.0.0/8 or [::1]. */
export function isSecureTransport(url: URL): boolean {
  return url.protocol === "https:" || isLoopback(url.hostname);
}

/** Expects a parsed hostname: URL parsing turns every spelling of an IPv4 address into four decimal numbers. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
