/**
 * Time, as the client needs it. What is measured goes by the steady clock, which only moves forward; the wall clock of
 * an agent's machine may be wrong by hours, and is only asked when the ledger has not told the time.
 */

export type Clock = {
  /** Epoch milliseconds by this machine's clock. */
  nowMs(): number;
  /** Milliseconds since some moment, never backwards. */
  steadyMs(): number;
  /** Calls `then` after the delay; the function it gives cancels that. */
  after(delayMs: number, then: () => void): () => void;
};

export const realClock: Clock = {
  nowMs: () => Date.now(),
  steadyMs: () => performance.now(),
  after(delayMs, then) {
    const timer = setTimeout(then, delayMs);
    return () => clearTimeout(timer);
  },
};

/** What the work gives, or null when the time is up first. */
export function within<T>(clock: Clock, limitMs: number, work: Promise<T>): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () => resolve(null));
    work.finally(cancel).then(resolve, reject);
  });
}

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 30_000;

/** The pause after so many failures in a row: doubling, with jitter, so that many who fail at once come back apart. */
export function backoffMs(failures: number, random: () => number): number {
  const longestMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10));
  return longestMs * (0.5 + random() / 2);
}
