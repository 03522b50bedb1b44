// Parses the timestamps of traces: `2023-11-16 18:17:03.9799600`, in UTC without a zone, with seven decimals. Newer
// traces add a zone such as `+00:00`. Date.parse would read the first form as local time and drop the microseconds.

/** An instant in two parts: one double cannot hold a date to a tenth of a microsecond. */
interface ExactTime {
  /** The full second, as milliseconds since 1970. */
  secondMs: number;
  /** The rest in milliseconds, 0 ≤ fractionMs < 1000. */
  fractionMs: number;
}

const TIME = /^(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?$/i;

/** Parses a time with a zone, or without one as UTC. Returns null if it is malformed or its date does not exist. */
export function parseUtcTime(text: string): ExactTime | null {
  const match = TIME.exec(text.trim());
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((digits) => Number(digits ?? 0));
  const localMs = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!);
  // Date.UTC turns dates that do not exist, such as 30 February, into others. Formatting the result reveals that.
  const roundTrip = new Date(localMs).toISOString().slice(0, 19);
  const written = `${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6] ?? "00"}`;
  if (roundTrip !== written) return null;
  return { secondMs: localMs - zoneOffsetMs(match[8]), fractionMs: Number(`0.${match[7] ?? "0"}`) * 1000 };
}

function zoneOffsetMs(zone: string | undefined): number {
  if (!zone || zone.toUpperCase() === "Z") return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(-2))];
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
