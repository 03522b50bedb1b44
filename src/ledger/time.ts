/** Instants and durations, in milliseconds. ISO 8601 exists only on the wire: see wire/time.ts. */

/** Milliseconds since 1970-01-01T00:00:00Z, by the clock of the enterprise. */
export type AtMs = number;

export const DAY_MS = 86_400_000;
