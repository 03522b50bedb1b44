/**
 * The Durable Object's sockets, as the core sees them. Each socket stores who opened it and when that access expires,
 * so the object still knows its owner after hibernation. Watchers receive gauges on `live` sockets. Agents send debits
 * on `stream` sockets.
 */
import type { Caller } from "../../access/callers.ts";
import type { AtMs } from "../../ledger/time.ts";

export type SocketKind = "live" | "stream";

export type SocketOwner = { kind: SocketKind; caller: Caller; expiresAtMs: AtMs | null };

export type Socket = {
  owner: SocketOwner;
  /** Sends a message. Does nothing if the socket is closing: the client can reconnect. */
  send(message: string): void;
  /** Closes the socket. May also be called on a closed socket. */
  close(code: number, reason?: string): void;
};

/** Whose sockets are closed together: those of a key, of one session or embed token, or of a person. */
export type Holder = `key:${string}` | `token:${string}` | `user:${string}`;

export type Sockets = {
  /** Counts the `live` sockets. Every debit calls this, so it must be cheap. */
  countLive(): number;
  live(): Socket[];
  /** All sockets, of watchers and of agents. */
  all(): Socket[];
  of(holder: Holder): Socket[];
  /** Counts the open `live` sockets of a key, session or embed token. */
  countLiveOf(holder: Holder): number;
};

/** How many `live` sockets a key, a session or an embed token may have open at once (rule R15). */
export const MAX_LIVE_SOCKETS = 100;

/** Our close code for a key or token that is no longer valid. A client reconnects after any other code. */
export const CLOSE_UNAUTHORIZED = 4401;
/** The close code for a service that restarts. A client reconnects later. */
export const CLOSE_RESTARTING = 1012;
/** The close code of RFC 6455 for a message that violates the receiver's policy. */
export const CLOSE_POLICY = 1008;

/** The header in which the Worker names the socket's owner. It can be trusted: only the Worker can reach the object. */
export const OWNER_HEADER = "Fuelgauge-Owner";

/** Returns whose sockets a caller's sockets count among; null for the operator, who has no limit. */
export function holderOf(caller: Caller): Holder | null {
  switch (caller.kind) {
    case "operator":
      return null;
    case "key":
      return `key:${caller.id}`;
    case "user":
    case "embed":
      return caller.token === undefined ? `user:${caller.user}` : `token:${caller.token.id}`;
    default:
      return caller satisfies never;
  }
}

export function hasExpired({ expiresAtMs }: SocketOwner, nowMs: AtMs): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

/** Returns when the first of the sockets expires, or Infinity if none of them does. */
export function nextExpiryAtMs(sockets: readonly Socket[]): AtMs {
  return Math.min(...sockets.map(({ owner }) => owner.expiresAtMs ?? Number.POSITIVE_INFINITY));
}

/** Closes the sockets that have expired. Returns when the next one expires, or Infinity if none does. */
export function closeExpired(sockets: readonly Socket[], nowMs: AtMs): AtMs {
  const [expired = [], valid = []] = [true, false].map((is) =>
    sockets.filter(({ owner }) => hasExpired(owner, nowMs) === is),
  );
  for (const socket of expired) socket.close(CLOSE_UNAUTHORIZED, "expired");
  return nextExpiryAtMs(valid);
}
