/** Implements the core's sockets with the hibernating WebSockets of a Durable Object. */
import type { Socket, SocketOwner, Sockets } from "./sockets.ts";

export function hibernatingSockets(ctx: DurableObjectState): Sockets {
  const tagged = (tag: string) => ctx.getWebSockets(tag).map((socket) => new HibernatingSocket(socket));
  return {
    countLive: () => ctx.getWebSockets("live").length,
    live: () => tagged("live"),
    ofKey: (id) => tagged(keyTag(id)),
  };
}

/** Opens a socket. The Durable Object can hibernate while no message passes through it. */
export function acceptSocket(ctx: DurableObjectState, owner: SocketOwner): { client: WebSocket; server: WebSocket } {
  const { 0: client, 1: server } = new WebSocketPair();
  const { kind, caller } = owner;
  ctx.acceptWebSocket(server, [kind, caller.kind === "key" ? keyTag(caller.id) : caller.kind]);
  server.serializeAttachment(owner);
  return { client, server };
}

export class HibernatingSocket implements Socket {
  constructor(readonly socket: WebSocket) {}

  get owner(): SocketOwner {
    return this.socket.deserializeAttachment() as SocketOwner;
  }

  send(message: string): void {
    try {
      this.socket.send(message);
    } catch {
      // The socket is closing.
    }
  }

  close(code: number, reason?: string): void {
    try {
      this.socket.close(code, reason);
    } catch {
      // Some codes can be received but not sent, for example 1006.
      this.socket.close(1000);
    }
  }
}

function keyTag(id: string): string {
  return `key:${id}`;
}
