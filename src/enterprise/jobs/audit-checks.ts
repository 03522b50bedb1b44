/** Draws the conclusions of an audit of the books: compares the sums of all rows with the balances at its start. */
import { UNITS } from "../../ledger/micros.ts";
import { formatIso, formatIsoOrNull } from "../../wire/time.ts";
import { compareCube } from "./audit-cube.ts";
import { compareHeld } from "./audit-held.ts";
import { type AuditCheck, type AuditNotes, addFault, addTo, checkOf, sumOf } from "./audit-notes.ts";
import type { AuditStart } from "./audit-start.ts";

/** Returns the checks of the books, once every phase is complete. Adds the faults that only the end shows. */
export function concludeBooks(notes: AuditNotes): AuditCheck[] {
  const start = notes.start as AuditStart;
  compareCycle(notes, start);
  compareOlderDraws(notes, start);
  compareOrder(notes, start);
  compareTurns(notes, start);
  compareHolds(notes, start);
  compareJournal(notes, start);
  compareReplay(notes, start);
  compareTimes(notes, start);
  compareWaiting(notes, start);
  compareCube(notes);
  compareHeld(notes);
  for (const fault of start.budgets?.faults ?? []) addFault(notes, "budgets", fault);
  const { meters = 0, grants = 0, cycles = 0, holds = 0, entries = 0, totals = 0 } = notes.counts;
  const check = (name: string, count: number, claim: string) => checkOf(notes, name, count, claim);
  return [
    check("meters_cost", meters, "meters cost what their totals cost at their pinned rates"),
    check("meters_drawn", meters, "meters are drawn to the micro"),
    check("waiting", notes.counts.waiting ?? 0, "meters without a price are listed, and are charged nothing"),
    check("grants_drawn", grants, "grants whose drawn, expired, voided and remaining parts sum to their amount"),
    check("cycle_balances", 4, "balances of this cycle equal the sum of their draws"),
    check("monthly_before_bonus", 1, "order of draws: allowance, then bonus, then debt"),
    check("one_turn_per_cycle", cycles, "cycles started once each"),
    check("held", holds, "active holds sum to what is held"),
    check("journal_without_gaps", start.seq, "steps of the journal, none missing"),
    check("journal_replays", entries, "entries and the debits replay to the balances"),
    check("budgets", start.budgets?.sums ?? 0, "sums of budgets equal the totals and the holds"),
    check("cube", notes.counts.cells ?? 0, "rows of the usage cube add up to the totals by day, cycle and model"),
    check("totals_agree", totals, "totals by hour, day, workspace, group and user agree"),
  ];
}

function compareCycle(notes: AuditNotes, { cycle }: AuditStart): void {
  const compare = (what: string, stored: number, bucket: string) => {
    const drawn = sumOf(notes, `drawn ${bucket}`);
    if (BigInt(stored) === drawn) return;
    addFault(notes, "cycle_balances", `${what} is ${stored}, the draws of this cycle sum to ${drawn}`);
  };
  compare("monthly use", cycle.monthlyUsedMicros, "monthly");
  compare("bonus use", cycle.bonusUsedMicros, "grant");
  compare("debt", cycle.debtMicros, "debt");
  compare("spend", cycle.spendUsedMicros, "spend");
}

function compareOlderDraws(notes: AuditNotes, { hasOlderDraws }: AuditStart): void {
  const [noted, stored] = ["older draws of meters", "older draws in pages"].map((name) => sumOf(notes, name));
  if (hasOlderDraws !== true || noted === stored) return;
  addFault(notes, "meters_drawn", "the pages of older draws are not those that the meters have");
}

function compareWaiting(notes: AuditNotes, { waitingMeters }: AuditStart): void {
  if (waitingMeters === undefined) return;
  const { waiting = 0 } = notes.counts;
  if (waiting !== waitingMeters) addFault(notes, "waiting", `${waitingMeters} meters wait, ${waiting} are listed`);
  if (sumOf(notes, "unpriced meters") === sumOf(notes, "waiting meters")) return;
  addFault(notes, "waiting", "the meters without a price are not those that are listed");
}

function compareOrder(notes: AuditNotes, { cycle, monthlyMicros: free, bonusMicros }: AuditStart): void {
  const fault = (text: string) => addFault(notes, "monthly_before_bonus", text);
  const raisedMicros = Math.max(0, cycle.allowanceMicros - Number(notes.values.startAllowanceMicros ?? 0));
  if (free < 0) fault(`monthly use exceeds the allowance by ${-free}`);
  if (cycle.bonusUsedMicros > 0 && free > raisedMicros + cycle.returnedMicros) {
    fault(`bonus is in use while ${free} of the allowance is free`);
  }
  if (cycle.debtMicros > 0 && free + bonusMicros > 0) fault("there is debt while credit is free");
}

function compareTurns(notes: AuditNotes, { cycle }: AuditStart): void {
  const last = (notes.values.cycleStartsAtMs ?? null) as number | null;
  if (last === cycle.startsAtMs) return;
  const text = `the running cycle started ${formatIso(cycle.startsAtMs)}, the journal says ${formatIsoOrNull(last)}`;
  addFault(notes, "one_turn_per_cycle", text);
}

function compareHolds(notes: AuditNotes, { held }: AuditStart): void {
  for (const unit of UNITS) {
    const sum = sumOf(notes, `held ${unit}`);
    if (BigInt(held[unit]) === sum) continue;
    addFault(notes, "held", `held ${held[unit]} ${unit}, the active holds sum to ${sum}`);
  }
}

function compareJournal(notes: AuditNotes, { seq, items, lastSeq }: AuditStart): void {
  const fault = (text: string) => addFault(notes, "journal_without_gaps", text);
  const counted = (notes.counts.entries ?? 0) + items;
  if (counted !== seq) fault(`seq is ${seq}, the journal holds ${counted}`);
  if (lastSeq > seq) fault(`the journal reaches ${lastSeq}, seq is ${seq}`);
}

function compareReplay(notes: AuditNotes, { cycle, capMicros, cycleTotals }: AuditStart): void {
  const { values } = notes;
  const compare = (what: string, stored: unknown, replayed: unknown) => {
    if (stored === replayed) return;
    addFault(notes, "journal_replays", `${what} is ${stored}, the journal replays to ${replayed}`);
  };
  compare("the allowance", cycle.allowanceMicros, values.allowanceMicros ?? 0);
  compare("the cap", capMicros, values.capMicros ?? null);
  for (const what of ["granted", "expired", "voided"])
    compare(what, sumOf(notes, what), sumOf(notes, `entries ${what}`));
  const { monthlyUsedMicros, bonusUsedMicros, debtMicros, spendUsedMicros } = cycle;
  compare("use in credits", monthlyUsedMicros + bonusUsedMicros + debtMicros, cycleTotals.credits);
  compare("spend", spendUsedMicros, cycleTotals.usd);
}

function compareTimes(notes: AuditNotes, { deleted }: AuditStart): void {
  for (const { name, micros } of deleted) addTo(notes, name, BigInt(micros));
  const labels = new Set(Object.keys(notes.sums).flatMap((name) => /^time (.*), (?:hour|day)$/.exec(name)?.[1] ?? []));
  for (const label of labels) {
    const [hours, days] = ["hour", "day"].map((span) => sumOf(notes, `time ${label}, ${span}`));
    if (hours !== days) addFault(notes, "totals_agree", `${label}: hours sum to ${hours}, days to ${days}`);
  }
}
