/**
 * The routes for usage over time and by kind. Both read the copy in D1. `as_of` is the time up to which the copy is
 * complete.
 */
import { readKinds, readSeries } from "../copy/read-cube.ts";
import { GRANULARITIES, RANGES, type Span, spansOf } from "../ledger/calendar.ts";
import { KINDS, type UsageField } from "../ledger/kinds.ts";
import { UNITS } from "../ledger/micros.ts";
import { type FieldError, isRefusal } from "../ledger/refusals.ts";
import { openUsage } from "../operations/usage-view.ts";
import { formatIso } from "../wire/time.ts";
import { invalid, refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";
import {
  cycleField,
  filteredFrom,
  filteredFromField,
  localDate,
  parseWindow,
  refuseTooEarly,
  selectionFields,
} from "./usage-query.ts";

const unit = z.enum(UNITS);
const instant = z.iso.datetime();
const access = { scope: "read", session: true, operatorScopes: ["metrics"] } as const;
const FIELDS = KINDS.map(({ field }) => field) as [UsageField, ...UsageField[]];

const timeseriesSchema = z
  .object({
    unit,
    range: z.enum(RANGES).nullable(),
    from: z.string().optional(),
    to: z.string().optional(),
    granularity: z.enum(GRANULARITIES),
    time_zone: z.string(),
    as_of: instant,
    filtered_from: filteredFromField,
    buckets: z.array(z.object({ starts_at: instant, ends_at: instant, web_micros: z.int(), cli_micros: z.int() })),
  })
  .openapi("Timeseries");

const timeseriesQuery = z
  .strictObject({
    range: z.enum(RANGES).optional().describe("7d by default"),
    from: localDate.optional().describe("The first local date of a window, instead of `range`"),
    to: localDate.optional().describe("The last local date of the window"),
    granularity: z
      .enum(GRANULARITIES)
      .optional()
      .describe("Of a window; `day` by default. Weeks are 7 days that end with `to`; months are calendar months"),
    ...selectionFields,
  })
  .superRefine(({ range, from, to, granularity }, context) => {
    const fault = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message });
    if (from === undefined && to !== undefined) fault("from", "is required with `to`");
    if (to === undefined && from !== undefined) fault("to", "is required with `from`");
    if (range !== undefined && from !== undefined) fault("range", "must not be given with `from` and `to`");
    if (granularity !== undefined && from === undefined) fault("granularity", "needs `from` and `to`");
  });

const kindsSchema = z
  .object({
    unit,
    cycle: z.object({ starts_at: instant, ends_at: instant }),
    as_of: instant,
    filtered_from: filteredFromField,
    rows: z.array(
      z.object({
        model: z.string(),
        tier: z.string(),
        kind: z.enum(FIELDS),
        quantity: z.int(),
        amount_micros: z.int(),
      }),
    ),
    total_micros: z.int(),
    cache_savings_micros: z.int().describe("What cache reads would have cost as input, minus what they cost"),
  })
  .openapi("Kinds");

export const usageRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/usage/timeseries",
        name: "readTimeseries",
        summary: "Read the usage over time, by surface",
        details:
          "Read from the copy. Buckets start and end on boundaries in the enterprise's time zone. The last bucket may end in the future. A refund counts in the bucket in which it was made, so a bucket may be negative. Filters can be combined. A window of local dates has at most 400 days, and at most the last 15 days if its granularity is an hour; its first and last bucket are cut to it.",
        refusals: ["copy_unavailable", "filtered_too_early"],
        tag: "Readers",
        access,
        answers: { 200: { description: "The buckets, oldest first, including empty ones", schema: timeseriesSchema } },
      }),
      request: { params: inEnterprise, query: timeseriesQuery },
    }),
    async (c) => {
      const { range, from, to, granularity: asked, ...selection } = c.req.valid("query");
      const usage = await openUsage(c.env, c.executionCtx, c.var, { selection });
      if (isRefusal(usage)) return refused(c, usage.refusal);
      const { view, copy } = usage;
      const { nowMs, timeZone } = view;
      const isWindow = from !== undefined && to !== undefined;
      const granularity = isWindow ? (asked ?? "day") : spansOf(range ?? "7d", nowMs, timeZone).granularity;
      const spans = isWindow
        ? parseWindow({ from, to, granularity }, nowMs, timeZone)
        : spansOf(range ?? "7d", nowMs, timeZone).spans;
      if (!areSpans(spans)) return invalid(c, spans);
      const window = { startsAtMs: spans[0]?.startsAtMs ?? 0, endsAtMs: spans.at(-1)?.endsAtMs ?? 0 };
      const refusal = refuseTooEarly(c, usage, window);
      if (refusal !== null) return refusal;
      const question = { enterprise: c.var.enterprise, unit: view.gauge.unit, selection: usage.selection };
      const buckets = await readSeries(copy, question, granularity, spans);
      return c.json({
        unit: view.gauge.unit,
        range: isWindow ? null : (range ?? "7d"),
        ...(isWindow ? { from, to } : {}),
        granularity,
        time_zone: timeZone,
        as_of: formatIso(view.copyAsOfMs),
        ...filteredFrom(usage),
        buckets: buckets.map(({ startsAtMs, endsAtMs, webMicros, cliMicros }) => ({
          starts_at: formatIso(startsAtMs),
          ends_at: formatIso(endsAtMs),
          web_micros: webMicros,
          cli_micros: cliMicros,
        })),
      });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/usage/kinds",
        name: "readKinds",
        summary: "Read a cycle's usage by model, tier and kind",
        details:
          "Read from the copy. Each meter's charge is split among its kinds of usage, and these parts are summed, so the rows add up to `total_micros`. Quantities count in the cycle in which they were reported. Filters can be combined.",
        refusals: ["copy_unavailable", "filtered_too_early"],
        tag: "Readers",
        access,
        answers: { 200: { description: "The kinds, largest amount first", schema: kindsSchema } },
      }),
      request: { params: inEnterprise, query: z.strictObject({ cycle: cycleField, ...selectionFields }) },
    }),
    async (c) => {
      const { cycle: cycleStartsAtMs, ...selection } = c.req.valid("query");
      const usage = await openUsage(c.env, c.executionCtx, c.var, { selection, cycleStartsAtMs });
      if (isRefusal(usage)) return refused(c, usage.refusal);
      const { view, cycle } = usage;
      const refusal = refuseTooEarly(c, usage, cycle, true);
      if (refusal !== null) return refusal;
      const question = { enterprise: c.var.enterprise, unit: view.gauge.unit, selection: usage.selection, cycle };
      const { rows, totalMicros, savingsMicros } = await readKinds(usage.copy, question);
      const place = (kind: string) => KINDS.findIndex((row) => row.kind === kind);
      const sorted = rows.toSorted(
        (a, b) =>
          b.amountMicros - a.amountMicros ||
          a.model.localeCompare(b.model) ||
          a.tier.localeCompare(b.tier) ||
          place(a.kind) - place(b.kind),
      );
      return c.json({
        unit: view.gauge.unit,
        cycle: { starts_at: formatIso(cycle.startsAtMs), ends_at: formatIso(cycle.endsAtMs) },
        as_of: formatIso(view.copyAsOfMs),
        ...filteredFrom(usage, true),
        rows: sorted.map(({ model, tier, kind, quantity, amountMicros }) => ({
          model,
          tier,
          kind: KINDS[place(kind)]?.field as UsageField,
          quantity,
          amount_micros: amountMicros,
        })),
        total_micros: totalMicros,
        cache_savings_micros: savingsMicros,
      });
    },
  );

function areSpans(spans: Span[] | FieldError[]): spans is Span[] {
  return spans[0] === undefined || "startsAtMs" in spans[0];
}
