/**
 * Decides whether a request's connection may carry keys and cookies (rule R16). Only https, and plain http on this
 * machine, may. The decision uses only the request's URL, because a client can send any header.
 */

/** The usual URLs of requests over a secure transport. Every other URL is parsed. */
const USUALLY_SECURE = /^(?:https:\/\/|http:\/\/(?:localhost|127\.0\.0\.1)(?::\d+)?\/)/;

/** Whether a request's URL is secure at first sight, so that it needs no parsing. */
export function isUsuallySecure(url: string): boolean {
  return USUALLY_SECURE.test(url);
}

/** Whether the URL uses https, or plain http to localhost, 127.0.0.0/8 or [::1]. */
export function isSecureTransport(url: URL): boolean {
  return url.protocol === "https:" || isLoopback(url.hostname);
}

/** Expects a parsed hostname: URL parsing turns every spelling of an IPv4 address into four decimal numbers. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
