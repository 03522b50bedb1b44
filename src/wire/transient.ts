/** Distinguishes transient failures, which a retry may cure, from bugs. */

/** True for an object that is restarting or overloaded, and for an error of the copy. */
export function isTransient(error: unknown): boolean {
  return causesOf(error).some((cause) => cause.overloaded === true || cause.retryable === true) || isCopyError(error);
}

/** True for an error of D1, also when the query builder or an object has wrapped it, and for a copy that is in use. */
export function isCopyError(error: unknown): boolean {
  return causesOf(error).some(({ message }) => /\b(D1_ERROR|CopyBusy)\b/.test(message));
}

type PlatformError = Error & { overloaded?: boolean; retryable?: boolean };

/** The error, its cause, the cause's cause and so on. */
function causesOf(error: unknown): PlatformError[] {
  return error instanceof Error ? [error, ...causesOf(error.cause)] : [];
}
