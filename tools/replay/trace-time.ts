// Times as traces write them: `2023-11-16 18:17:03.9799600`, UTC without saying so, seven decimals; newer ones add
// a zone such as `+00:00`. Date.parse would take the zoneless form as local time and drop what is below a millisecond.

/** An instant in two parts, because one double cannot hold both a date and tenths of microseconds. */
interface ExactTime {
  /** Milliseconds since 1970 of the whole second. */
  secondMs: number;
  /** The rest, 0 ≤ fractionMs < 1000. */
  fractionMs: number;
}

const TIME = /^(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?$/i;

/** The instant of a time without a zone (UTC) or with one; null when the text is none, or names a day that is not. */
export function parseUtcTime(text: string): ExactTime | null {
  const match = TIME.exec(text.trim());
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((digits) => Number(digits ?? 0));
  const localMs = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!);
  // Date.UTC carries over what does not exist, for example 30 February; reading it back shows that.
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
