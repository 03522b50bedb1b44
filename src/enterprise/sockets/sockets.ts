/**
 * The object's sockets, as the core sees them. Each carries who opened it and until when that is valid, so that the
 * object knows its peer again after hibernation. A `live` socket receives gauges; a `stream` socket sends debits.
 */
import type { Caller } from "../../access/callers.ts";
import type { AtMs } from "../../ledger/time.ts";

export type SocketKind = "live" | "stream";

export type SocketOwner = { kind: SocketKind; caller: Caller; expiresAtMs: AtMs | null };

export type Socket = {
  owner: SocketOwner;
  /** Does nothing when the socket is closing: the peer reconnects if it wants to. */
  send(message: string): void;
  /** May be called again on a socket that is closed. */
  close(code: number, reason?: string): void;
};

export type Sockets = {
  /** How many sockets watch the gauge. */
  countLive(): number;
  live(): Socket[];
  /** The sockets that a key has opened. */
  ofKey(id: string): Socket[];
};

/** Our close code for a key or token that has ended; a client reconnects after any other code. */
export const CLOSE_UNAUTHORIZED = 4401;
/** RFC 6455: a message that the receiver does not accept. */
export const CLOSE_POLICY = 1008;

/** The header in which the Worker says who opens a socket; nobody else can reach the object. */
export const OWNER_HEADER = "Fuelgauge-Owner";

export function hasExpired({ expiresAtMs }: SocketOwner, nowMs: AtMs): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}

/** When the first of the sockets expires; Infinity when none does. */
export function nextExpiryAtMs(sockets: readonly Socket[]): AtMs {
  return Math.min(...sockets.map(({ owner }) => owner.expiresAtMs ?? Number.POSITIVE_INFINITY));
}

/** Closes the sockets that have expired; returns when the next one expires. */
export function closeExpired(sockets: readonly Socket[], nowMs: AtMs): AtMs {
  const [expired = [], valid = []] = [true, false].map((is) =>
    sockets.filter(({ owner }) => hasExpired(owner, nowMs) === is),
  );
  for (const socket of expired) socket.close(CLOSE_UNAUTHORIZED, "expired");
  return nextExpiryAtMs(valid);
}
