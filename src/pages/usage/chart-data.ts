/**
 * Computes the data of a chart from the copy and the gauge. The static chart, the interactive chart, the table and the
 * summary all use this data, so they cannot disagree.
 */
import type { TimeBucket } from "../../copy/read.ts";
import type { Granularity, Span } from "../../ledger/calendar.ts";
import type { Entry } from "../../ledger/entries.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { Micros, Unit } from "../../ledger/micros.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import { formatDate, formatDaysOf, formatHours, formatShortDate, formatTime, offsetOf } from "../kit/dates.ts";
import { formatAmount, formatCharge, formatTick } from "../kit/format.ts";
import { expiryMarks, marksOf, positionIn, positionInDays, ratioOf } from "./chart-marks.ts";
import type { Chart, ChartSeries, Tick } from "./chart-shape.ts";
import type { Outlook } from "./outlook.ts";

const MICROS = 1_000_000;
const Y_STEPS = 4;
const MAX_DAY_TICKS = 8;
/** The limit is drawn if it is at most this many times the highest value: otherwise it would flatten the chart. */
const MAX_LIMIT_RATIO = 2.5;

type Bucketed = {
  buckets: readonly TimeBucket[];
  granularity: Granularity;
  unit: Unit;
  timeZone: string;
  /** How the summary names the window, such as "the last 7 days". */
  window: string;
  nowMs: AtMs;
  changes?: readonly Entry[];
};

/** Use by web and by CLI in each bucket. */
export function bucketChart({ buckets, granularity, unit, timeZone, window, nowMs, changes = [] }: Bucketed): Chart {
  const web = buckets.map(({ webMicros }) => webMicros);
  const cli = buckets.map(({ cliMicros }) => cliMicros);
  // The oldest week or month may be cut by the window, the newest month too. They are drawn like the current one: hollow.
  const isCoarse = granularity === "week" || granularity === "month";
  const isShort = (i: number, other: number) => isCoarse && daysIn(buckets[i]) < daysIn(buckets[other]) - 3;
  const isCut = (i: number) =>
    (i === 0 && (granularity === "week" ? daysIn(buckets[0]) < daysIn(buckets[1]) : isShort(0, 1))) ||
    (i > 0 && i === buckets.length - 1 && granularity === "month" && isShort(i, i - 1));
  const isCurrent = (i: number) => (buckets[i]?.endsAtMs ?? 0) > nowMs;
  const offsets = [buckets[0]?.startsAtMs, buckets.at(-1)?.endsAtMs].map((atMs) => offsetOf(atMs ?? 0, timeZone));
  const labels = buckets.map(({ startsAtMs, endsAtMs }, i) => {
    const label =
      granularity === "hour"
        ? `${formatDate(startsAtMs, timeZone)}, ${formatHours(startsAtMs, endsAtMs, timeZone, offsets[0] !== offsets[1])}`
        : formatDaysOf(startsAtMs, endsAtMs, timeZone);
    return isCurrent(i) ? `${label} (so far)` : isCut(i) ? `${label} (part)` : label;
  });
  const bucketsPerTick =
    granularity === "hour" ? 4 * Math.ceil(buckets.length / 24) : Math.ceil(buckets.length / MAX_DAY_TICKS);
  return {
    kind: "buckets",
    x: buckets.map((_, i) => i),
    // Each point is in the middle of its bucket, and the first and last buckets have room for their marks.
    xMin: -0.5,
    xMax: buckets.length - 0.5,
    labels,
    xTicks: buckets.flatMap(({ startsAtMs }, i) =>
      (buckets.length - 1 - i) % bucketsPerTick === 0
        ? [{ at: i, label: tickOf(startsAtMs, granularity, timeZone) }]
        : [],
    ),
    yTicks: yTicksOf([...web, ...cli], unit),
    series: [seriesOf("web", "Web", web, unit), seriesOf("cli", "CLI", cli, unit)],
    sums: web.map((micros, i) => formatAmount(micros + (cli[i] ?? 0), unit)),
    partial: buckets.flatMap((_, i) => (isCut(i) || isCurrent(i) ? [i] : [])),
    limit: null,
    marks: marksOf(changes, timeZone, (atMs) => positionIn(buckets, atMs)),
    summary: summaryOf(web, cli, labels, window, unit),
    columns: { hour: "Hour", day: "Day", week: "Days", month: "Month" }[granularity],
    timeZone,
  };
}

type Total = {
  buckets: readonly TimeBucket[];
  gauge: Gauge;
  outlook: Outlook;
  timeZone: string;
  /** What is used of the selection; null without a filter. A selection has neither a forecast nor a limit. */
  selectedMicros: Micros | null;
  /** The days of the previous cycle; null if there is none. */
  previous?: readonly TimeBucket[] | null;
  changes?: readonly Entry[];
};

/** The cycle's use by the end of each day, continued at this pace until the reset. */
export function totalChart({
  buckets,
  gauge,
  outlook,
  timeZone,
  selectedMicros,
  previous = null,
  changes = [],
}: Total): Chart {
  const { unit } = gauge;
  const usedMicros = selectedMicros ?? gauge.usedMicros;
  let sum = 0;
  const past = buckets.slice(0, -1).map(({ webMicros, cliMicros }) => (sum += webMicros + cliMicros));
  const today = buckets.at(-1);
  const nowX =
    buckets.length - 1 + (today === undefined ? 0 : ratioOf(outlook.nowMs, today.startsAtMs, today.endsAtMs));
  const endX = Math.max(gauge.cycle.daysTotal, nowX);
  const endMicros = selectedMicros === null ? outlook.usedAtResetMicros : null;
  const used: (Micros | null)[] = [0, ...past, usedMicros, null];
  const forecast: (Micros | null)[] = [
    ...used.slice(0, -2).map(() => null),
    endMicros === null ? null : usedMicros,
    endMicros,
  ];
  // What expires unused cannot be used. So the forecast reaches this limit exactly when credits run out.
  const limitMicros =
    selectedMicros === null && gauge.totalMicros !== null ? gauge.totalMicros - outlook.expiringMicros : null;
  const xs = [0, ...past.map((_, i) => i + 1), nowX, endX];
  const before = previous === null ? null : xs.map((x) => totalAt(previous, x));
  const highest = Math.max(
    ...used.map((micros) => micros ?? 0),
    endMicros ?? 0,
    ...(before ?? []).map((micros) => micros ?? 0),
  );
  const showsLimit = limitMicros !== null && limitMicros <= highest * MAX_LIMIT_RATIO;
  const resetDate = formatDate(outlook.endsAtMs, timeZone);
  return {
    kind: "total",
    x: xs,
    xMin: 0,
    xMax: endX,
    labels: [
      `Start, ${formatDate(outlook.startsAtMs, timeZone)}`,
      ...past.map((_, i) => formatDate(buckets[i]?.startsAtMs ?? 0, timeZone)),
      "Now",
      `${resetDate} (${outlook.resetHelps ? "reset" : "end of the cycle"})`,
    ],
    xTicks: buckets.length === 0 ? [] : dayTicks(outlook, gauge.cycle.daysTotal, timeZone),
    yTicks: yTicksOf([highest, showsLimit ? limitMicros : 0], unit),
    series: [
      seriesOf("used", "Used", used, unit),
      ...(endMicros === null ? [] : [seriesOf("forecast", "At this pace", forecast, unit)]),
      ...(before === null ? [] : [seriesOf("previous", "Previous cycle", before, unit)]),
    ],
    sums: null,
    partial: [],
    limit: showsLimit ? { at: limitMicros / MICROS, label: limitLabel(limitMicros, unit) } : null,
    marks: [
      ...marksOf(changes, timeZone, (atMs) => positionInDays(buckets, atMs)),
      ...expiryMarks(gauge.bonus?.nextExpiry ?? null, outlook, gauge.cycle.daysTotal, timeZone),
    ],
    summary: totalSummary(usedMicros, endMicros, limitMicros, resetDate, unit),
    columns: "By the end of",
    timeZone,
  };
}

function seriesOf(key: ChartSeries["key"], name: string, micros: readonly (Micros | null)[], unit: Unit): ChartSeries {
  return {
    key,
    name,
    values: micros.map((amount) => (amount === null ? null : amount / MICROS)),
    texts: micros.map((amount) => (amount === null ? null : formatAmount(amount, unit))),
  };
}

function summaryOf(web: Micros[], cli: Micros[], labels: string[], window: string, unit: Unit): string {
  const [webMicros, cliMicros] = [web, cli].map((list) => list.reduce((sum, micros) => sum + micros, 0)) as [
    number,
    number,
  ];
  if (web.concat(cli).every((micros) => micros === 0)) {
    return `Nothing was ${unit === "usd" ? "spent" : "used"} in ${window}.`;
  }
  const sums = web.map((micros, i) => micros + (cli[i] ?? 0));
  const highest = Math.max(...sums);
  const peak = labels[sums.indexOf(highest)] ?? "";
  const used = formatCharge(webMicros + cliMicros, unit);
  const verb = unit === "usd" ? "was spent" : "were used";
  const refunds = web.concat(cli).some((micros) => micros < 0)
    ? " Where the chart is below zero, refunds exceeded charges."
    : "";
  return `In ${window}, ${used} ${verb}: Web ${formatAmount(webMicros, unit)}, CLI ${formatAmount(cliMicros, unit)}. Highest: ${peak}, ${formatCharge(highest, unit)}.${refunds}`;
}

function totalSummary(
  usedMicros: Micros,
  endMicros: Micros | null,
  limitMicros: Micros | null,
  resetDate: string,
  unit: Unit,
): string {
  const used = `${formatCharge(usedMicros, unit)} ${unit === "usd" ? "spent" : "used"} in this cycle so far`;
  if (endMicros === null) return `${used}.`;
  const of = limitMicros === null ? "" : ` of ${formatCharge(limitMicros, unit)}`;
  return `${used}; at this pace about ${formatAmount(endMicros, unit)}${of} by ${resetDate}.`;
}

/** A past cycle's use by the end of each day. It has neither a forecast nor a limit. */
export function pastTotalChart({
  buckets,
  unit,
  timeZone,
  changes = [],
}: Omit<Bucketed, "granularity" | "window" | "nowMs">): Chart {
  let sum = 0;
  const used = [0, ...buckets.map(({ webMicros, cliMicros }) => (sum += webMicros + cliMicros))];
  const starts = [...buckets.map(({ startsAtMs }) => startsAtMs), buckets.at(-1)?.endsAtMs ?? 0];
  const ticks = Math.max(1, Math.ceil(buckets.length / 4));
  return {
    kind: "total",
    x: used.map((_, i) => i),
    xMin: 0,
    xMax: Math.max(1, buckets.length),
    labels: ["Start", ...buckets.map(({ startsAtMs }) => formatDate(startsAtMs, timeZone))],
    xTicks: starts.flatMap((atMs, i) => (i % ticks === 0 ? [{ at: i, label: formatShortDate(atMs, timeZone) }] : [])),
    yTicks: yTicksOf(used, unit),
    series: [seriesOf("used", "Used", used, unit)],
    sums: null,
    partial: [],
    limit: null,
    marks: marksOf(changes, timeZone, (atMs) => positionInDays(buckets, atMs)),
    summary: `${formatCharge(sum, unit)} ${unit === "usd" ? "spent" : "used"} in this cycle.`,
    columns: "By the end of",
    timeZone,
  };
}

/** The total of the previous cycle after this many days; null beyond its end. */
function totalAt(days: readonly TimeBucket[], x: number): Micros | null {
  if (x > days.length) return null;
  const whole = days.slice(0, Math.floor(x)).reduce((sum, day) => sum + day.webMicros + day.cliMicros, 0);
  const next = days[Math.floor(x)];
  return whole + Math.round((x - Math.floor(x)) * (next === undefined ? 0 : next.webMicros + next.cliMicros));
}

function daysIn(span: Span | undefined): number {
  return span === undefined ? 0 : Math.round((span.endsAtMs - span.startsAtMs) / DAY_MS);
}

function tickOf(startsAtMs: AtMs, granularity: Granularity, timeZone: string): string {
  if (granularity === "hour") return formatTime(startsAtMs, timeZone);
  if (granularity === "week" || granularity === "month") return formatShortDate(startsAtMs, timeZone);
  const [weekday, day] = formatDate(startsAtMs, timeZone).split(" ");
  return `${weekday}\n${day}`;
}

function dayTicks(outlook: Outlook, daysTotal: number, timeZone: string): Tick[] {
  const daysPerTick = Math.max(1, Math.ceil(daysTotal / 4));
  const dayMs = (outlook.endsAtMs - outlook.startsAtMs) / daysTotal;
  const count = Math.floor((daysTotal - daysPerTick / 2) / daysPerTick) + 1;
  const ticks = Array.from({ length: count }, (_, i) => ({
    at: i * daysPerTick,
    // Noon of that day, so that a change of daylight saving time does not move it to the next or previous day.
    label: formatShortDate(outlook.startsAtMs + (i * daysPerTick + 0.5) * dayMs, timeZone),
  }));
  return [...ticks, { at: daysTotal, label: formatShortDate(outlook.endsAtMs, timeZone) }];
}

/** Ticks at round steps that span zero and all values. Values below zero are refunds. */
function yTicksOf(micros: readonly Micros[], unit: Unit): Tick[] {
  const highest = Math.max(...micros, 0);
  const lowest = Math.min(...micros, 0);
  const step = niceStep((highest - lowest) / Y_STEPS);
  const ticks: Tick[] = [];
  for (let i = Math.floor(lowest / step); i <= Math.max(1, Math.ceil(highest / step)); i++) {
    ticks.push({ at: (i * step) / MICROS, label: formatTick(i * step, unit) });
  }
  return ticks;
}

/**
 * The smallest of 1, 2, 2.5 or 5 × 10^n that is not below `micros`: at least a thousandth of a unit, and one unit if
 * `micros` is 0.
 */
function niceStep(micros: number): Micros {
  if (micros === 0) return MICROS;
  const power = 10 ** Math.max(3, Math.floor(Math.log10(Math.max(micros, 1))));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => step >= micros) ?? 10 * power;
}

function limitLabel(limitMicros: Micros, unit: Unit): string {
  return `${unit === "usd" ? "Cap" : "Limit"} ${formatAmount(limitMicros, unit)}`;
}
