/**
 * Pushes the gauge to watchers after each change, at most four times a second. The last of several quick changes is
 * always pushed. Pushes do not wait for debits, and debits do not wait for pushes.
 */
import type { Caller } from "../../access/callers.ts";
import type { Books } from "../../ledger/books.ts";
import type { Clock, Defer } from "../platform.ts";
import { CLOSE_UNAUTHORIZED, hasExpired, type Sockets } from "./sockets.ts";

const PUSH_INTERVAL_MS = 250;

type LiveDeps = {
  sockets: Sockets;
  clock: Clock;
  defer: Defer;
  /** Returns the gauge of this moment, as JSON for each caller. */
  gauge(): (caller: Caller) => string;
};

/**
 * All state here is in memory only. Losing it is harmless. A Durable Object with a pending push does not hibernate.
 * When the object is evicted, its sockets close too, and a new socket receives the gauge when it opens.
 */
export class LivePush {
  /** The books that watchers have seen, or will see with the pending push. */
  #shownBooks: Books | null = null;
  #lastPushAtMs = 0;
  #pending = false;

  constructor(readonly deps: LiveDeps) {}

  /** Pushes now or as soon as the interval allows. Call this after anything that may have changed the books. */
  changed(books: Books, watched: boolean): void {
    if (books === this.#shownBooks) return;
    this.#shownBooks = books;
    if (watched) this.#schedule();
  }

  /** Makes the next call of `changed` push even if the books are the same. The gauge also depends on the time. */
  invalidate(): void {
    this.#shownBooks = null;
  }

  #schedule(): void {
    if (this.#pending) return;
    this.#pending = true;
    const { clock, defer } = this.deps;
    // A clock that was set back must not delay the push.
    const waitMs = Math.min(PUSH_INTERVAL_MS, Math.max(0, this.#lastPushAtMs + PUSH_INTERVAL_MS - clock.realNowMs()));
    defer(() => {
      this.#pending = false;
      this.#lastPushAtMs = clock.realNowMs();
      this.#push();
    }, waitMs);
  }

  /**
   * Sends the gauge to every watcher. Closes sockets whose token has expired; the client reconnects with a new token.
   */
  #push(): void {
    const { sockets, clock, gauge } = this.deps;
    const messageFor = gauge();
    for (const socket of sockets.live()) {
      if (hasExpired(socket.owner, clock.realNowMs())) socket.close(CLOSE_UNAUTHORIZED, "expired");
      else socket.send(messageFor(socket.owner.caller));
    }
  }
}
