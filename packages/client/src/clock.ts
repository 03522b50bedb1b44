/**
 * The client's clock, its timers and its backoff. Durations are measured by the steady clock, which only moves forward.
 * The wall clock of an agent's machine may be wrong by hours. The client reads it only if no response states the
 * ledger's time.
 */

export type Clock = {
  /** Epoch milliseconds by this machine's clock. */
  nowMs(): number;
  /** Milliseconds since an arbitrary moment; never goes backwards. */
  steadyMs(): number;
  /**
   * Calls `then` after the delay, at once if it is negative, unless the returned function is called first. If the timer is
   * in the background, it does not keep the process alive.
   */
  after(delayMs: number, then: () => void, isBackground?: boolean): () => void;
};

export const realClock: Clock = {
  nowMs: () => Date.now(),
  steadyMs: () => performance.now(),
  after(delayMs, then, isBackground = false) {
    const timer: unknown = setTimeout(then, Math.max(0, delayMs));
    if (isBackground) (timer as { unref?(): void }).unref?.();
    return () => clearTimeout(timer as number);
  },
};

/** Returns the result of the work, or null if the work takes longer than the limit. */
export function withTimeout<T>(clock: Clock, limitMs: number, work: Promise<T>): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () => resolve(null));
    work.finally(cancel).then(resolve, reject);
  });
}

const MIN_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 30_000;
const MIN_REOPEN_MS = 30_000;
const MAX_REOPEN_MS = 300_000;

/**
 * Returns how long to wait after this many failures in a row: at least as long as the server asks for, plus a random part
 * of a backoff that starts at 250 ms and doubles up to 30 s. So clients that fail together do not retry together.
 */
export function backoffMs(failures: number, random: () => number, retryAfterMs: number | null = null): number {
  return (retryAfterMs ?? 0) + doubled(MIN_BACKOFF_MS, failures, MAX_BACKOFF_MS) * random();
}

/**
 * Returns how long to leave a socket closed after this many failures in a row: a random part of a window of 30 s, which
 * doubles up to 5 minutes. A deployment closes all sockets of an enterprise at once, and they must not all return at once.
 */
export function reopenAfterMs(failures: number, random: () => number): number {
  return doubled(MIN_REOPEN_MS, failures, MAX_REOPEN_MS) * random();
}

/** Doubles `ms` for each failure after the first, up to `maxMs`. */
function doubled(ms: number, failures: number, maxMs: number): number {
  return Math.min(maxMs, ms * 2 ** (Math.max(1, failures) - 1));
}
