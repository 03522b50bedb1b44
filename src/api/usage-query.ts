/** The query parameters that routes for usage share: filters, windows of local dates, and cycles. */
import type { Context } from "hono";
import { filtersOf } from "../copy/selection.ts";
import {
  dateOf,
  daysBetween,
  type Granularity,
  HOURLY_DAYS,
  isDate,
  MAX_WINDOW_DAYS,
  type Span,
  windowSpans,
} from "../ledger/calendar.ts";
import type { FieldError } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import { filteredFromMs, tooEarly, type UsageView } from "../operations/usage-view.ts";
import { id, surface, time } from "../wire/fields.ts";
import { problemOf, sendProblem } from "../wire/problems.ts";
import { formatIso, formatIsoOrNull } from "../wire/time.ts";
import type { ApiEnv } from "./auth.ts";
import { z } from "./route.ts";

export const selectionFields = {
  workspace: id.optional(),
  group: id.optional().describe("`none` for workspaces without a group"),
  user: id.optional(),
  model: id.optional().describe("A model by its id, or by another spelling that the prices know"),
  surface: surface.optional(),
};

export const cycleField = time.optional().describe("The `starts_at` of a cycle; the current one by default");

export const localDate = z
  .string()
  .refine(isDate, "must be a date, as in 2026-03-31")
  .openapi({ type: "string", format: "date" });

/** Returns the spans of a window, or what is wrong with its dates. */
export function parseWindow(
  { from, to, granularity }: { from: string; to: string; granularity: Granularity },
  nowMs: AtMs,
  timeZone: string,
): Span[] | FieldError[] {
  const fault = (path: string, message: string) => [{ path, message }];
  const today = dateOf(nowMs, timeZone);
  const days = daysBetween(from, to) + 1;
  if (days < 1) return fault("to", "must not be before `from`");
  if (days > MAX_WINDOW_DAYS)
    return fault("from", `must be at most ${MAX_WINDOW_DAYS} days before the end of the window`);
  if (daysBetween(from, today) > MAX_WINDOW_DAYS) return fault("from", `must be at most ${MAX_WINDOW_DAYS} days ago`);
  if (granularity === "hour" && daysBetween(from, today) >= HOURLY_DAYS) {
    return fault("from", `must be within the last ${HOURLY_DAYS} days if the granularity is an hour`);
  }
  return windowSpans(from, to, granularity, timeZone);
}

/** Responds with `filtered_too_early` if the window reaches back to usage that has totals only; null if it does not. */
export function refuseTooEarly(c: Context<ApiEnv>, usage: UsageView, window: Span, always = false): Response | null {
  const fromMs = tooEarly(usage, window, always);
  if (fromMs === null) return null;
  return sendProblem(c, problemOf("filtered_too_early"), { filtered_from: formatIso(fromMs) });
}

export const filteredFromField = z.iso
  .datetime()
  .nullable()
  .optional()
  .describe("The time from which filters, kinds and models can answer; null if they can answer for all that is kept");

/** Returns the field for an answer. Without a filter, and if nothing is missing, it is left out. */
export function filteredFrom({ view, selection }: UsageView, always = false): { filtered_from?: string | null } {
  const fromMs = filteredFromMs(view);
  if (fromMs === null && !always && filtersOf(selection).length === 0) return {};
  return { filtered_from: formatIsoOrNull(fromMs) };
}
