/** How long a usage bar waits before it connects again. */

const FIRST_WINDOW_MS = 1_000;
const MAX_WINDOW_MS = 30_000;

/**
 * Returns a random part of a window that starts at 1 s and doubles up to 30 s. A deployment closes the sockets of all
 * bars at the same moment, and this spreads their return over the whole window.
 *
 * @param failures how many attempts in a row have failed before the one that ended now
 * @param random from 0 up to 1
 */
export function reconnectPauseMs(failures: number, random: number): number {
  return random * Math.min(MAX_WINDOW_MS, FIRST_WINDOW_MS * 2 ** Math.min(failures, 10));
}
