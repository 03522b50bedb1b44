/** Distinguishes transient failures, which a retry may cure, from bugs. */

/**
 * Returns why a ledger could not answer: its object has too many requests, was restarted (by a deployment or by the
 * platform), is full, or must first finish other work. Null if the error is not a transient failure of a ledger.
 */
export function busyCauseOf(error: unknown): "overload" | "restart" | "full" | "working" | null {
  if (isCopyError(error)) return null;
  const causes = causesOf(error);
  if (causes.some(({ overloaded }) => overloaded === true)) return "overload";
  if (isStorageFull(error)) return "full";
  if (isBusy(error)) return "working";
  return isOlder(error) || causes.some(({ retryable }) => retryable === true) ? "restart" : null;
}

/** True for an object that is restarting, overloaded or full, and for an error of the copy. */
export function isTransient(error: unknown): boolean {
  const retryable = causesOf(error).some((cause) => cause.overloaded === true || cause.retryable === true);
  return retryable || isCopyError(error) || isStorageFull(error) || isBusy(error) || isOlder(error);
}

/** True if the same call may work at once with a new stub: the platform says so, and the object is not overloaded. */
export function isWorthRetrying(error: unknown): boolean {
  const causes = causesOf(error);
  return causes.some(({ retryable }) => retryable === true) && !causes.some(({ overloaded }) => overloaded === true);
}

/** True for an error of D1, also when the query builder or an object has wrapped it, and for an incomplete copy. */
export function isCopyError(error: unknown): boolean {
  return causesOf(error).some(({ message }) => /\b(D1_ERROR|CopyTimeout|CopyUnavailable)\b/.test(message));
}

/** True if nothing can be stored because the disk or the object is full. Reads still work. */
export function isStorageFull(error: unknown): boolean {
  return causesOf(error).some(({ message }) => /SQLITE_FULL|database or disk is full/.test(message));
}

/** RPC keeps only the message of an error, so the message starts with the name that isTransient recognizes. */
export class LedgerBusy extends Error {
  constructor(why: string) {
    super(`LedgerBusy: ${why}`);
  }
}

/** True if the object must first finish other work. */
function isBusy(error: unknown): boolean {
  return causesOf(error).some(({ message }) => message.includes("LedgerBusy"));
}

/** True if the object still runs the last release, which lacks the method. A deployment replaces it within seconds. */
function isOlder(error: unknown): boolean {
  return causesOf(error).some(({ message }) => /^The RPC receiver does not implement the method/.test(message));
}

type PlatformError = Error & { overloaded?: boolean; retryable?: boolean };

/** The error, its cause, the cause's cause and so on. */
function causesOf(error: unknown): PlatformError[] {
  return error instanceof Error ? [error, ...causesOf(error.cause)] : [];
}
