/** Implements the core's sockets with the hibernating WebSockets of a Durable Object. */
import { type Holder, holderOf, type Socket, type SocketOwner, type Sockets } from "./sockets.ts";

export class HibernatingSockets implements Sockets {
  /**
   * The number of open `live` sockets. In memory only: a new instance counts once. It is counted when a socket opens or
   * closes and not when it is needed, because every debit needs it, and listing sockets takes longer the more there are.
   */
  #live = 0;

  constructor(readonly ctx: DurableObjectState) {
    this.recount();
  }

  /** Opens a socket. The Durable Object can hibernate while no message passes through it. */
  accept(owner: SocketOwner): { client: WebSocket; socket: Socket } {
    const { 0: client, 1: server } = new WebSocketPair();
    this.ctx.acceptWebSocket(server, tagsOf(owner));
    server.serializeAttachment(owner);
    this.recount();
    return { client, socket: new HibernatingSocket(server) };
  }

  /** Call this when a socket has been opened or closed. */
  recount(): void {
    this.#live = countOpen(this.ctx.getWebSockets("live"));
  }

  countLive(): number {
    return this.#live;
  }

  live(): Socket[] {
    return this.#tagged("live");
  }

  all(): Socket[] {
    return this.#tagged();
  }

  of(holder: Holder): Socket[] {
    return this.#tagged(holder);
  }

  countLiveOf(holder: Holder): number {
    return countOpen(this.ctx.getWebSockets(liveTag(holder)));
  }

  #tagged(tag?: string): Socket[] {
    return this.ctx.getWebSockets(tag).map((socket) => new HibernatingSocket(socket));
  }
}

/** The owners that were read before. An attachment never changes, and every message of a debit stream needs it. */
const owners = new WeakMap<WebSocket, SocketOwner>();

export class HibernatingSocket implements Socket {
  constructor(readonly socket: WebSocket) {}

  get owner(): SocketOwner {
    const known = owners.get(this.socket);
    if (known !== undefined) return known;
    const owner = this.socket.deserializeAttachment() as SocketOwner;
    owners.set(this.socket, owner);
    return owner;
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

/** A socket that has closed stays in the list until its close has been answered. */
function countOpen(sockets: readonly WebSocket[]): number {
  return sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;
}

/** The tags by which the sockets are found again. The platform allows ten tags of 256 characters. */
function tagsOf({ kind, caller }: SocketOwner): string[] {
  const holder = holderOf(caller);
  const person = caller.kind === "user" || caller.kind === "embed" ? `user:${caller.user}` : null;
  const tags = [kind, holder, person, kind === "live" && holder !== null ? liveTag(holder) : null];
  return [...new Set(tags.filter((tag) => tag !== null))];
}

function liveTag(holder: Holder): string {
  return `live:${holder}`;
}
