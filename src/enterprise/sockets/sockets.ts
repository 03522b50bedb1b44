/**
 * The object's hibernating sockets. Each carries who opened it and until when that holds, so that after any sleep the
 * object knows whom it talks to. `live` sockets are only spoken to; `stream` sockets bring debits.
 */
import type { Caller } from "../../access/callers.ts";

export type SocketKind = "live" | "stream";

export type SocketOwner = { kind: SocketKind; caller: Caller; expiresAtMs: number | null };

/** Closing codes of ours: a client comes back after any other. */
export const CLOSE_UNAUTHORIZED = 4401;

/** How the Worker tells the object who opens a socket; only the Worker can reach the object. */
export const OWNER_HEADER = "Fuelgauge-Owner";

/** Takes a socket over to the object. */
export function acceptSocket(ctx: DurableObjectState, owner: SocketOwner): { client: WebSocket; server: WebSocket } {
  const { 0: client, 1: server } = new WebSocketPair();
  ctx.acceptWebSocket(server, [owner.kind, tagOf(owner.caller)]);
  server.serializeAttachment(owner);
  return { client, server };
}

export function ownerOf(socket: WebSocket): SocketOwner {
  return socket.deserializeAttachment() as SocketOwner;
}

/** The sockets that a key has opened. */
export function socketsOfKey(ctx: DurableObjectState, id: string): WebSocket[] {
  return ctx.getWebSockets(tagOf({ kind: "key", id, hash: "", scopes: [] }));
}

/** Sends where somebody still listens. A socket that is closing throws instead, which concerns nobody but itself. */
export function sendTo(socket: WebSocket, message: string): void {
  try {
    socket.send(message);
  } catch {
    // Who opened it comes back by a new one, if at all.
  }
}

/** Closes from our side, also where that has happened before; a code that may not be sent becomes a plain end. */
export function closeSocket(socket: WebSocket, code: number, reason?: string): void {
  try {
    socket.close(code, reason);
  } catch {
    socket.close(1000);
  }
}

export function hasExpired(owner: SocketOwner): boolean {
  return owner.expiresAtMs !== null && owner.expiresAtMs <= Date.now();
}

function tagOf(caller: Caller): string {
  return caller.kind === "key" ? `key:${caller.id}` : caller.kind;
}
