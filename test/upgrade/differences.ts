// Compares what this release answers with what the earlier one answered. New fields are welcome; every field that the
// earlier answer had must still be there with its value, except those that PRODUCT changes on purpose.

/** Fields whose value may differ, each with the reason. */
const MAY_DIFFER = new Set([
  // Forecasts know when grants expire.
  "run_out_days",
  "run_out_at",
  "on_track_to_run_out",
  "alerts",
  // Opaque to callers.
  "next_cursor",
  // The real clock goes on: deliveries are tried again, and then given up.
  "attempts",
  "last_status",
  "last_error",
  "delivered_at",
  "next_attempt_at",
  "given_up_at",
]);

/** Describes each difference as `path: before → after`. */
export function differences(before: unknown, after: unknown, path = ""): string[] {
  if (isObject(before) && isObject(after)) {
    return Object.entries(before)
      .filter(([name]) => !MAY_DIFFER.has(name))
      .flatMap(([name, value]) => differences(value, after[name], `${path}.${name}`));
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((value, i) => differences(value, after[i], `${path}[${i}]`));
  }
  if (typeof before === "string" && typeof after === "string" && before.includes("\r\n")) {
    const rowsBefore = parseCsv(before);
    const runs = new Set(rowsBefore.map(({ run }) => run));
    // This release also lists the runs of a cycle of which nothing counts.
    const rowsAfter = parseCsv(after).filter(({ run, cycle_micros }) => cycle_micros !== "0" || runs.has(run));
    return differences(rowsBefore, rowsAfter, path);
  }
  return Object.is(before, after) ? [] : [`${path}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`];
}

/** Describes where the second value lacks a field of the first, or has another type there. */
export function shapeDifferences(before: unknown, after: unknown, path = ""): string[] {
  if (isObject(before) && isObject(after)) {
    return Object.entries(before).flatMap(([name, value]) => shapeDifferences(value, after[name], `${path}.${name}`));
  }
  const typeOf = (value: unknown) => (value === null ? "null" : Array.isArray(value) ? "list" : typeof value);
  return typeOf(before) === typeOf(after) ? [] : [`${path}: ${typeOf(before)} → ${typeOf(after)}`];
}

/**
 * Rows by the names of their columns, because columns may be added. Times are compared as instants, because they are
 * local now. The fixture has no quoted commas.
 */
function parseCsv(text: string): Record<string, string>[] {
  const [head = "", ...lines] = text.trimEnd().split("\r\n");
  const names = head.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((value, i) => [names[i], instantOf(value)])));
}

function instantOf(value: string): string {
  return /^\d{4}-\d\d-\d\dT/.test(value) ? new Date(value).toISOString() : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
