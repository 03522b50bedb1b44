/**
 * Pushes the gauge to those who watch: after every change, at most four times a second, never skipping the last one. No
 * push waits for a debit, and no debit waits for a push.
 */
import type { Books } from "../../ledger/books.ts";
import type { Clock, Defer } from "../platform.ts";
import { CLOSE_UNAUTHORIZED, hasExpired, type Sockets } from "./sockets.ts";

const PUSH_INTERVAL_MS = 250;

type LiveDeps = {
  sockets: Sockets;
  clock: Clock;
  defer: Defer;
  /** The gauge as JSON. */
  gauge(): string;
};

/**
 * Everything here is memory. Losing it is harmless: an object with a pending push does not hibernate, and when it is
 * evicted its sockets close too; a new socket starts with the gauge.
 */
export class LivePush {
  /** The books that watchers have seen, or will see with the pending push. */
  #shownBooks: Books | null = null;
  #lastPushAtMs = 0;
  #pending = false;

  constructor(readonly deps: LiveDeps) {}

  /** Call it after whatever may have changed the books: pushes now, or as soon as the interval allows. */
  changed(books: Books, watched: boolean): void {
    if (books === this.#shownBooks) return;
    this.#shownBooks = books;
    if (watched) this.#schedule();
  }

  /** Lets the next call push although the books are the same: the gauge also depends on the time. */
  invalidate(): void {
    this.#shownBooks = null;
  }

  #schedule(): void {
    if (this.#pending) return;
    this.#pending = true;
    const { clock, defer } = this.deps;
    const waitMs = Math.max(0, this.#lastPushAtMs + PUSH_INTERVAL_MS - clock.realNowMs());
    defer(() => {
      this.#pending = false;
      this.#lastPushAtMs = clock.realNowMs();
      this.#push();
    }, waitMs);
  }

  /** Sends the gauge to every watcher. One whose token has expired is closed, and comes back with a new token. */
  #push(): void {
    const { sockets, clock, gauge } = this.deps;
    const message = gauge();
    for (const socket of sockets.live()) {
      if (hasExpired(socket.owner, clock.realNowMs())) socket.close(CLOSE_UNAUTHORIZED, "expired");
      else socket.send(message);
    }
  }
}
