/**
 * Whether a request came over a connection that may carry keys and cookies (rule R16): https, or plain http on this
 * machine. Judged by the request's URL alone, because a header can say anything.
 */

/** True for https, and for plain http to localhost, 127.0.0.0/8 or [::1]. */
export function isSecureTransport(url: URL): boolean {
  return url.protocol === "https:" || isLoopback(url.hostname);
}

/** URL parsing has already turned every spelling of an IPv4 address into four decimal numbers. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
