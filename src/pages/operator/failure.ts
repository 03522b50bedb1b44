/** What fails now and may work shortly, told from what is a bug. */

/** True for an error of D1, also where it comes from an object. */
export function isOfCopy(error: unknown): boolean {
  return error instanceof Error && /\bD1_[A-Z]*ERROR\b/.test(error.message);
}

/** True for an object that restarts or has too much to do, and for a copy that cannot be asked. */
export function isPassing(error: Error): boolean {
  const { overloaded, retryable } = error as { overloaded?: boolean; retryable?: boolean };
  return overloaded === true || retryable === true || isOfCopy(error);
}
