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

/** The header in which the Worker says who opens a socket; nobody else can reach the object. */
export const OWNER_HEADER = "Fuelgauge-Owner";

export function hasExpired({ expiresAtMs }: SocketOwner, nowMs: AtMs): boolean {
  return expiresAtMs !== null && expiresAtMs <= nowMs;
}
