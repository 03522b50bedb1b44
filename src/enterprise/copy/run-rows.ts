/**
 * Builds the row that the copy in D1 and the receipt show for a run. The row is computed from the run and its meters.
 * Once the meters are pruned, it is the summary that pruning stored. This file knows the tables of the enterprise's
 * Durable Object, but not D1.
 */
import type { RunCycle, RunRow } from "../../copy/batch.ts";
import { type Draw, type Meter, type Run, unitOf } from "../../ledger/books.ts";
import { countedMicros, hasEffect } from "../../ledger/buckets.ts";
import { KINDS } from "../../ledger/kinds.ts";
import type { Unit } from "../../ledger/micros.ts";
import type { Usage } from "../../ledger/prices.ts";
import { summarizeRun } from "../../ledger/receipt.ts";
import { splitMeterKey } from "../../ledger/tiers.ts";
import type { AtMs } from "../../ledger/time.ts";
import { parseRun, type RunJson, showRun } from "../../wire/run.ts";
import type { Ledger } from "../books/ledger.ts";
import { RUNS } from "../books/rows.ts";

type PrunedPart = Pick<RunRow, "cycleStartsAtMs" | "cycleMicros"> &
  // The last release did not store these.
  Partial<Pick<RunRow, "otherCycles" | "usage" | "priceBookVersions">>;

/** Loads the rows of these runs. If a run's meters are pruned, its row is the one from the time of pruning. */
export function loadRunRows(ledger: Ledger, names: readonly string[]): RunRow[] {
  const { store, sql, recent } = ledger;
  const known = names.flatMap((name) => recent.find(name) ?? []);
  const missing = known.length === names.length ? [] : names.filter((name) => recent.find(name) === undefined);
  if (missing.length === 0) return known.map((found) => toRunRow(ledger, found.run, found.meters));
  const meters = Map.groupBy(store.loadMeters(missing), (meter) => meter.run);
  const rows = sql.all("SELECT * FROM runs WHERE run IN (SELECT value FROM json_each(?1))", JSON.stringify(missing));
  const stored = rows.map((row) => {
    if (row.pruned !== null) return readPruned(row.pruned as string);
    return toRunRow(ledger, RUNS.read(row), meters.get(row.run as string) ?? []);
  });
  return [...known.map((found) => toRunRow(ledger, found.run, found.meters)), ...stored];
}

/** Serializes a run for pruning. Stored rows are read for up to 400 days, so this format only grows. */
export function writePruned(row: RunRow): string {
  const { cycleStartsAtMs, cycleMicros, otherCycles, usage, priceBookVersions } = row;
  const part: PrunedPart = { cycleStartsAtMs, cycleMicros, otherCycles, usage, priceBookVersions };
  return JSON.stringify({ ...showRun(row), ...part });
}

function readPruned(text: string): RunRow {
  const { cycleStartsAtMs, cycleMicros, otherCycles, usage, priceBookVersions, ...run } = JSON.parse(text) as RunJson &
    PrunedPart;
  return {
    ...parseRun(run),
    cycleStartsAtMs,
    cycleMicros,
    otherCycles: otherCycles ?? [],
    formerModels: [],
    usage: usage ?? null,
    priceBookVersions: priceBookVersions ?? null,
  };
}

function toRunRow(ledger: Ledger, run: Run, meters: readonly Meter[]): RunRow {
  const summary = summarizeRun(run, meters, unitOf(ledger.books.settings.billingModel));
  const draws = drawsOf(meters, ledger.store.olderDraws.sums(meters));
  const cycles = cyclesOf(draws);
  const cycleStartsAtMs = latestCycleMs(draws, summary.unit) ?? cycleOfLastReport(ledger, meters);
  const isOwn = (cycle: RunCycle) => cycle.unit === summary.unit && cycle.cycleStartsAtMs === cycleStartsAtMs;
  const formerNames = meters.map(({ key }) => splitMeterKey(key).name);
  const versions = meters.flatMap(({ price }) => price?.bookVersion ?? []);
  return {
    ...summary,
    cycleStartsAtMs,
    cycleMicros: cycles.find(isOwn)?.micros ?? 0,
    otherCycles: cycles.filter((cycle) => !isOwn(cycle)),
    formerModels: [...new Set(formerNames)].filter((name) => !summary.models.includes(name)),
    usage: usageOf(meters),
    priceBookVersions: [...new Set(versions)].sort((a, b) => a - b),
  };
}

type UnitDraw = { unit: Unit; draw: Draw };

function drawsOf(meters: readonly Meter[], olderSums: ReadonlyMap<Meter, readonly Draw[]>): UnitDraw[] {
  return meters.flatMap((meter) => {
    return [...(olderSums.get(meter) ?? []), ...meter.draws].map((draw) => ({ unit: meter.unit, draw }));
  });
}

/** Returns what was charged in each cycle, by unit. It is 0 in a cycle of which everything was refunded. */
function cyclesOf(draws: readonly UnitDraw[]): RunCycle[] {
  const cycles = new Map<string, RunCycle>();
  for (const { unit, draw } of draws) {
    const key = `${unit} ${draw.cycleStartsAtMs}`;
    const known = cycles.get(key) ?? { unit, cycleStartsAtMs: draw.cycleStartsAtMs, micros: 0 };
    cycles.set(key, { ...known, micros: known.micros + countedMicros(draw) });
  }
  return [...cycles.values()];
}

/** Returns the start of the latest cycle in which something was charged in this unit and not refunded in time. */
function latestCycleMs(draws: readonly UnitDraw[], unit: Unit): AtMs | null {
  const starts = draws.filter(({ unit: of, draw }) => of === unit && hasEffect(draw));
  return starts.reduce<AtMs | null>((latest, { draw }) => Math.max(latest ?? 0, draw.cycleStartsAtMs), null);
}

/** Returns what all meters used, in the order of rule R1. */
function usageOf(meters: readonly Meter[]): Usage {
  const sums = KINDS.map(({ kind }) => [kind, meters.reduce((sum, { usage }) => sum + (usage[kind] ?? 0), 0)] as const);
  return Object.fromEntries(sums.filter(([, quantity]) => quantity > 0));
}

/** Returns the start of the cycle of a run's last report, for a run without charges; 0 if the run has no reports. */
function cycleOfLastReport({ books, store }: Ledger, meters: readonly Meter[]): AtMs {
  const lastReportAtMs = meters.reduce((last, meter) => Math.max(last, meter.lastReportAtMs), 0);
  if (lastReportAtMs >= books.cycle.startsAtMs) return books.cycle.startsAtMs;
  return store.loadEndedCycleStartMs(lastReportAtMs) ?? 0;
}
