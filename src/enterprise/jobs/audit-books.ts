/**
 * Audits the ledger in slices. It recomputes every invariant from the stored rows, independently of the code that wrote
 * them, and trusts no running sum. All rows are read as of one moment, so debits that arrive meanwhile change nothing.
 * Each phase reads one table, a page at a time. audit-checks.ts draws the conclusions.
 */
import type { TimeTotal } from "../../copy/batch.ts";
import type { Draw } from "../../ledger/books.ts";
import { costOf } from "../../ledger/prices.ts";
import { formatIso } from "../../wire/time.ts";
import type { AsOfTable, Key, Page } from "../books/as-of.ts";
import { hashOf } from "../books/checksum.ts";
import type { Ledger } from "../books/ledger.ts";
import { drawsOf } from "../books/older-draws.ts";
import { METERS } from "../books/rows.ts";
import type { SqlRow } from "../books/sql.ts";
import { timeSumName } from "../copy/old-totals.ts";
import { addCells, addCycleTotal, addDayTotal, addModelTotals } from "./audit-cube.ts";
import { addHeldSums, subtractHolds } from "./audit-held.ts";
import { type AuditNotes, addFault, addTo, countIn, sumOf } from "./audit-notes.ts";
import type { AuditStart } from "./audit-start.ts";

export const BOOK_PHASES = [
  "totals_time",
  "totals_cycle",
  "totals_model",
  "cube",
  "meters",
  "older_draws",
  "waiting_meters",
  "debt_payments",
  "grants",
  "held_sums",
  "runs",
  "entries",
] as const;
export type BookPhase = (typeof BOOK_PHASES)[number];

/** Where the phases read and keep what depends on whether the audit runs in slices. */
export type AuditReader = {
  ledger: Ledger;
  loadPage(table: AsOfTable, after: Key | null, limit: number): Page;
  /** Adds to the sums of what the meters have drawn on each grant. */
  addDrawn(byGrant: ReadonlyMap<string, bigint>): void;
  /** Returns the sums of these grants, and removes them. */
  takeDrawn(grants: readonly string[]): ReadonlyMap<string, bigint>;
  /** Returns some of the grants whose sums were not taken. */
  leftDrawn(): readonly string[];
};

/** How many rows a page of each phase has. Auditing one takes a few milliseconds. */
export const PAGE_ROWS: Record<BookPhase, number> = {
  totals_time: 1_500,
  totals_cycle: 1_500,
  totals_model: 400,
  cube: 300,
  meters: 200,
  older_draws: 40,
  waiting_meters: 3_000,
  debt_payments: 1_000,
  grants: 1_000,
  held_sums: 2_000,
  runs: 2_000,
  entries: 1_000,
};

/** Audits the next page of a phase. Returns true when the phase is complete. */
export function auditPage(reader: AuditReader, notes: AuditNotes, phase: BookPhase, limit: number): boolean {
  const start = notes.start as AuditStart;
  if (phase === "entries") return auditEntries(reader.ledger, notes, start, limit);
  // An audit that the last release began keeps no old rows of these tables.
  if (phase === "waiting_meters" && start.waitingMeters === undefined) return true;
  if ((phase === "cube" || phase === "totals_model") && start.cubeSinceMs === undefined) return true;
  if (phase === "held_sums" && start.heldSums == null) return true;
  if (phase === "older_draws" && start.hasOlderDraws !== true) return true;
  const { rows, last } = reader.loadPage(phase, notes.after, limit);
  notes.after = last;
  AUDITS[phase](notes, rows, start, reader);
  if (last !== null) return false;
  if (phase === "totals_cycle") closeCycleTotals(notes, start);
  if (phase === "grants") {
    for (const id of reader.leftDrawn())
      addFault(notes, "grants_drawn", `meters draw on grant ${id}, which does not exist`);
  }
  return true;
}

const AUDITS: Record<
  AsOfTable,
  (notes: AuditNotes, rows: readonly SqlRow[], start: AuditStart, reader: AuditReader) => void
> = {
  totals_time: (notes, rows, start) => {
    for (const row of rows) {
      addTo(notes, timeSumName(row as TimeTotal & SqlRow), row.amount_micros as number);
      if (row.span === "day") addDayTotal(notes, row, start);
    }
    countIn(notes, "totals", rows.length);
  },
  totals_cycle: (notes, rows, start) => {
    for (const { unit, cycle_starts_at_ms: cycle, dimension, requests, amount_micros } of rows) {
      // Of an older cycle, some totals may be deleted already.
      if ((cycle as number) < start.oldestCycleMs) continue;
      if (notes.values.unit !== unit || notes.values.cycle !== cycle) closeCycleTotals(notes, start);
      notes.values.unit = unit as string;
      notes.values.cycle = cycle as number;
      addTo(notes, `cycle amount ${dimension}`, amount_micros as number);
      addTo(notes, `cycle requests ${dimension}`, requests as number);
    }
    countIn(notes, "totals", rows.length);
  },
  totals_model: addModelTotals,
  cube: (notes, rows, start) => {
    addCells(notes, rows, start);
    countIn(notes, "cells", rows.length);
  },
  meters: (notes, rows, { cycle }, reader) => {
    const byGrant = new Map<string, bigint>();
    for (const row of rows) {
      const meter = METERS.read(row);
      const label = `${meter.run} on ${meter.model}`;
      const cost = meter.price === null ? 0 : costOf(meter.usage, meter.price, meter.unit);
      if (meter.price === null) addTo(notes, "unpriced meters", hashOf(meter.run, meter.key));
      if (cost !== meter.chargedMicros) {
        addFault(notes, "meters_cost", `${label}: charged ${meter.chargedMicros}, costs ${cost}`);
      }
      const olderMicros = BigInt(meter.older?.micros ?? 0);
      addTo(notes, "older draws of meters", olderMicros * BigInt(hashOf(meter.run, meter.key)));
      const drawn = olderMicros + addDraws(notes, byGrant, meter.draws, cycle.startsAtMs);
      if (drawn !== BigInt(meter.chargedMicros)) {
        addFault(notes, "meters_drawn", `${label}: charged ${meter.chargedMicros}, drawn ${drawn}`);
      }
    }
    reader.addDrawn(byGrant);
    countIn(notes, "meters", rows.length);
  },
  older_draws: (notes, rows, { cycle }, reader) => {
    const byGrant = new Map<string, bigint>();
    for (const row of rows) {
      const drawn = addDraws(notes, byGrant, drawsOf(row), cycle.startsAtMs);
      addTo(notes, "older draws in pages", drawn * BigInt(hashOf(row.run as string, row.model as string)));
      if (drawn === BigInt(row.micros as number)) continue;
      addFault(notes, "meters_drawn", `page ${row.page} of ${row.run} on ${row.model}: ${row.micros}, drawn ${drawn}`);
    }
    reader.addDrawn(byGrant);
  },
  waiting_meters: (notes, rows) => {
    for (const { run, model } of rows) addTo(notes, "waiting meters", hashOf(run as string, model as string));
    countIn(notes, "waiting", rows.length);
  },
  debt_payments: (notes, rows, { cycle }, reader) => {
    // Payments that wait are draws that no meter has yet, in place of its debt.
    const byGrant = new Map<string, bigint>();
    for (const { cycle_starts_at_ms, bucket, grant_id, micros } of rows) {
      const grant = grant_id as string | null;
      if (grant !== null) byGrant.set(grant, (byGrant.get(grant) ?? 0n) + BigInt(micros as number));
      if (cycle_starts_at_ms !== cycle.startsAtMs) continue;
      addTo(notes, `drawn ${bucket}`, micros as number);
      addTo(notes, "drawn debt", -(micros as number));
    }
    reader.addDrawn(byGrant);
  },
  grants: (notes, rows, _, reader) => {
    const sums = reader.takeDrawn(rows.map((row) => row.id as string));
    for (const row of rows) {
      const drawn = BigInt(row.drawn_micros as number);
      const recomputed = (sums.get(row.id as string) ?? 0n) + BigInt(row.pruned_micros as number);
      if (drawn !== recomputed) {
        addFault(notes, "grants_drawn", `grant ${row.id}: drawn ${drawn}, its draws sum to ${recomputed}`);
      }
      const gone = drawn + BigInt(row.expired_micros as number) + BigInt(row.voided_micros as number);
      if (gone > BigInt(row.amount_micros as number)) {
        addFault(notes, "grants_drawn", `grant ${row.id}: ${gone} of ${row.amount_micros} is gone`);
      }
      addTo(notes, "granted", row.amount_micros as number);
      addTo(notes, "expired", row.expired_micros as number);
      addTo(notes, "voided", row.voided_micros as number);
    }
    countIn(notes, "grants", rows.length);
  },
  held_sums: addHeldSums,
  runs: (notes, rows, _, { ledger }) => {
    subtractHolds(notes, rows, ledger);
    for (const { hold_unit, hold_micros } of rows) {
      if (hold_micros === null) continue;
      addTo(notes, `held ${hold_unit}`, hold_micros as number);
      countIn(notes, "holds");
    }
  },
};

/** Compares the sums of one cycle by workspace, group and user with the cycle's total. */
function closeCycleTotals(notes: AuditNotes, start: AuditStart): void {
  const { unit, cycle } = notes.values;
  if (unit === undefined) return;
  const sumsOf = (dimension: string) =>
    [`cycle amount ${dimension}`, `cycle requests ${dimension}`].map((name) => sumOf(notes, name));
  const [amount, requests] = sumsOf("all") as [bigint, bigint];
  addCycleTotal(notes, { unit, cycle_starts_at_ms: cycle } as SqlRow, { amount, requests }, start);
  for (const dimension of ["group", "user", "workspace"]) {
    const [found, counted] = sumsOf(dimension);
    if (found === amount && counted === requests) continue;
    const label = `cycle of ${formatIso(cycle as number)} in ${unit} by ${dimension}`;
    addFault(notes, "totals_agree", `${label}: ${found} in ${counted} requests, in all ${amount} in ${requests}`);
  }
  for (const name of Object.keys(notes.sums)) if (name.startsWith("cycle ")) delete notes.sums[name];
}

/**
 * Replays the entries up to the audit's moment. Entries never change, and none is removed during an audit, so no old form
 * of them is needed.
 */
function auditEntries({ store }: Ledger, notes: AuditNotes, { seq }: AuditStart, limit: number): boolean {
  const after = (notes.after?.[0] ?? 0) as number;
  const entries = store.loadEntriesAfter(after, limit).filter((entry) => entry.seq <= seq);
  const { values } = notes;
  countIn(notes, "entries", entries.length);
  for (const { facts } of entries) {
    if (facts.type === "cycle_started") {
      const before = (values.cycleStartsAtMs ?? null) as number | null;
      if (before !== null && before >= facts.startsAtMs) {
        const text = `the cycle of ${formatIso(facts.startsAtMs)} started after that of ${formatIso(before)}`;
        addFault(notes, "one_turn_per_cycle", text);
      }
      values.cycleStartsAtMs = facts.startsAtMs;
      values.startAllowanceMicros = facts.allowanceMicros;
      countIn(notes, "cycles");
    }
    if (facts.type === "checkpoint") {
      countIn(notes, "entries", facts.entries - 1);
      values.cycleStartsAtMs = facts.cycleStartsAtMs;
      values.startAllowanceMicros = facts.startAllowanceMicros;
      values.allowanceMicros = facts.allowanceMicros;
      values.capMicros = facts.capMicros;
      // It holds the sums of all entries before it. After a restore, some of them are still stored.
      for (const sum of ["granted", "expired", "voided"] as const) {
        delete notes.sums[`entries ${sum}`];
        addTo(notes, `entries ${sum}`, facts[`${sum}Micros`]);
      }
    }
    if (facts.type === "cycle_started" || facts.type === "plan_changed") values.allowanceMicros = facts.allowanceMicros;
    if (facts.type === "cap_changed") values.capMicros = facts.toMicros;
    if (facts.type === "grant_added") addTo(notes, "entries granted", facts.amountMicros);
    if (facts.type === "grant_expired") addTo(notes, "entries expired", facts.amountMicros);
    if (facts.type === "grant_voided") addTo(notes, "entries voided", facts.amountMicros);
  }
  const last = entries.at(-1)?.seq ?? null;
  const complete = entries.length < limit;
  notes.after = complete || last === null ? null : [last];
  return complete;
}

/** Adds draws to the sums of their buckets and grants. Returns what they sum to. */
function addDraws(
  notes: AuditNotes,
  byGrant: Map<string, bigint>,
  draws: readonly Draw[],
  cycleStartsAtMs: number,
): bigint {
  let drawn = 0n;
  for (const draw of draws) {
    drawn += BigInt(draw.micros);
    if (draw.cycleStartsAtMs === cycleStartsAtMs) addTo(notes, `drawn ${draw.bucket}`, draw.micros);
    if (draw.grantId === null) continue;
    const sum = byGrant.get(draw.grantId) ?? 0n;
    byGrant.set(draw.grantId, sum + BigInt(draw.micros) + BigInt(draw.lapsedMicros));
  }
  return drawn;
}
