/**
 * Pushes to those who watch: the state at once, then after every change, at most four times a second, and never
 * without the last one. A push waits for no debit and no debit for a push. Pure timing: what is sent, and to whom, is
 * handed in. Losing the timer with the memory is harmless: sockets end with it, and a new one begins with the state.
 */

export const PUSH_INTERVAL_MS = 250;

export class LivePush {
  #lastMs = 0;
  #waiting = false;

  constructor(readonly push: () => void) {}

  /** Something changed: pushes now, or as soon as the interval allows. */
  changed(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    const waitMs = Math.max(0, this.#lastMs + PUSH_INTERVAL_MS - Date.now());
    setTimeout(() => {
      this.#waiting = false;
      this.#lastMs = Date.now();
      this.push();
    }, waitMs);
  }
}
