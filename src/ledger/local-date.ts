/** Local dates as instants. */
import { Temporal } from "temporal-polyfill";
import type { AtMs } from "./time.ts";

/** Returns the start of a local day. @param date such as 2026-03-10 */
export function startOfDate(date: string, timeZone: string): AtMs {
  return Temporal.PlainDate.from(date).toZonedDateTime({ timeZone }).startOfDay().epochMilliseconds;
}
