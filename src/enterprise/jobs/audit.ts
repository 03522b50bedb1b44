/**
 * Audits the ledger. It recomputes every invariant from the stored rows, independently of the code that wrote them, and
 * trusts no running sum. Each check reports what it compared and, if it fails, which rows are wrong. The audit changes
 * nothing.
 */
import type { Books, Meter } from "../../ledger/books.ts";
import { bonusRemaining, monthlyRemaining } from "../../ledger/buckets.ts";
import type { Entry } from "../../ledger/entries.ts";
import { MAX_MICROS, UNITS, type Unit } from "../../ledger/micros.ts";
import { costOf } from "../../ledger/prices.ts";
import { formatIso, formatIsoOrNull } from "../../wire/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { loadOutbox } from "../books/outbox.ts";
import { getProgress } from "../books/progress.ts";
import { METERS } from "../books/rows.ts";
import type { Sql } from "../books/sql.ts";

export type AuditCheck = { name: string; ok: boolean; detail: string };

const PAGE = 1_000;
const SHOWN_FAULTS = 3;

/** Runs all checks of the books. The check of the copy in D1 is in audit-copy.ts. */
export function auditBooks(ledger: Ledger): AuditCheck[] {
  const facts = readFacts(ledger);
  const entries = readEntries(ledger);
  return [
    checkOf("meters_cost", facts.meters, "meters cost what their totals cost at their pinned rates", facts.costFaults),
    checkOf("meters_drawn", facts.meters, "meters are drawn to the micro", facts.drawFaults),
    checkGrants(ledger, facts),
    checkCycle(ledger.books, facts),
    checkMonthlyFirst(ledger.books, entries, ledger.nowMs()),
    checkTurns(ledger.books, entries),
    checkHolds(ledger),
    checkJournal(ledger, entries),
    checkReplay(ledger, entries),
    checkTotals(ledger.sql),
  ];
}

export function checkOf(name: string, count: number, claim: string, faults: readonly string[]): AuditCheck {
  if (faults.length === 0) return { name, ok: true, detail: `${count} ${claim}` };
  const more = faults.length > SHOWN_FAULTS ? ` and ${faults.length - SHOWN_FAULTS} more` : "";
  return { name, ok: false, detail: `${faults.slice(0, SHOWN_FAULTS).join("; ")}${more}` };
}

/** Counts the meters, but stops counting at `max`. */
export function countMeters(sql: Sql, max: number): number {
  return Number(sql.all("SELECT count(*) AS n FROM (SELECT 1 FROM meters LIMIT ?)", max)[0]?.n);
}

type Facts = {
  meters: number;
  costFaults: string[];
  drawFaults: string[];
  /** What the meters have drawn on each grant, including lapsed refunds, by grant id. */
  drawnByGrant: Map<string, bigint>;
  /** What the meters have drawn from each bucket in the current cycle. */
  cycle: Record<"monthly" | "grant" | "debt" | "spend", bigint>;
};

function readFacts(ledger: Ledger): Facts {
  const facts: Facts = {
    meters: 0,
    costFaults: [],
    drawFaults: [],
    drawnByGrant: new Map(),
    cycle: { monthly: 0n, grant: 0n, debt: 0n, spend: 0n },
  };
  for (const meter of eachMeter(ledger.sql)) {
    facts.meters += 1;
    const cost = costOf(meter.usage, meter.price, meter.unit);
    const label = `${meter.run} on ${meter.model}`;
    if (cost !== meter.chargedMicros) facts.costFaults.push(`${label}: charged ${meter.chargedMicros}, costs ${cost}`);
    let drawn = 0n;
    for (const draw of meter.draws) {
      drawn += BigInt(draw.micros);
      if (draw.cycleStartsAtMs === ledger.books.cycle.startsAtMs) facts.cycle[draw.bucket] += BigInt(draw.micros);
      if (draw.grantId === null) continue;
      const sum = facts.drawnByGrant.get(draw.grantId) ?? 0n;
      facts.drawnByGrant.set(draw.grantId, sum + BigInt(draw.micros) + BigInt(draw.lapsedMicros));
    }
    if (drawn !== BigInt(meter.chargedMicros)) {
      facts.drawFaults.push(`${label}: charged ${meter.chargedMicros}, drawn ${drawn}`);
    }
  }
  return facts;
}

function* eachMeter(sql: Sql): Generator<Meter> {
  const statement = "SELECT * FROM meters WHERE (run, model) > (?, ?) ORDER BY run, model LIMIT ?";
  for (let run = "", model = ""; ; ) {
    const page = sql.all(statement, run, model, PAGE).map(METERS.read);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    run = last.run;
    model = last.model;
  }
}

function readEntries(ledger: Ledger): Entry[] {
  const entries: Entry[] = [];
  for (let after = 0; ; ) {
    // Entries of closed runs change no balance. checkJournal counts them, so a missing one is still noticed.
    const page = ledger.store.loadEntriesAfter(after, PAGE);
    entries.push(...page.filter((entry) => entry.facts.type !== "run_closed"));
    if (page.length < PAGE) return entries;
    after = page.at(-1)?.seq ?? after;
  }
}

function checkGrants(ledger: Ledger, facts: Facts): AuditCheck {
  const faults: string[] = [];
  const rows = ledger.sql.all("SELECT * FROM grants");
  for (const row of rows) {
    const drawn = BigInt(row.drawn_micros as number);
    const recomputed = (facts.drawnByGrant.get(row.id as string) ?? 0n) + BigInt(row.pruned_micros as number);
    if (drawn !== recomputed) faults.push(`grant ${row.id}: drawn ${drawn}, its draws sum to ${recomputed}`);
    const gone = drawn + BigInt(row.expired_micros as number) + BigInt(row.voided_micros as number);
    if (gone > BigInt(row.amount_micros as number)) {
      faults.push(`grant ${row.id}: ${gone} of ${row.amount_micros} is gone`);
    }
  }
  return checkOf(
    "grants_drawn",
    rows.length,
    "grants whose drawn, expired, voided and remaining parts sum to their amount",
    faults,
  );
}

function checkCycle(books: Books, facts: Facts): AuditCheck {
  const { cycle } = books;
  const faults: string[] = [];
  const compare = (what: string, stored: number, recomputed: bigint) => {
    if (BigInt(stored) !== recomputed)
      faults.push(`${what} is ${stored}, the draws of this cycle sum to ${recomputed}`);
  };
  compare("monthly use", cycle.monthlyUsedMicros, facts.cycle.monthly);
  compare("bonus use", cycle.bonusUsedMicros, facts.cycle.grant);
  compare("debt", cycle.debtMicros, facts.cycle.debt);
  compare("spend", cycle.spendUsedMicros, facts.cycle.spend);
  return checkOf("cycle_balances", 4, "balances of this cycle equal the sum of their draws", faults);
}

function checkMonthlyFirst(books: Books, entries: readonly Entry[], nowMs: number): AuditCheck {
  const { cycle } = books;
  const started = entries.findLast((entry) => entry.facts.type === "cycle_started")?.facts;
  const granted = started?.type === "cycle_started" ? started.allowanceMicros : 0;
  const raisedMicros = Math.max(0, cycle.allowanceMicros - granted);
  const faults: string[] = [];
  const free = monthlyRemaining(books);
  if (free < 0) faults.push(`monthly use exceeds the allowance by ${-free}`);
  if (cycle.bonusUsedMicros > 0 && free > raisedMicros + cycle.returnedMicros) {
    faults.push(`bonus is in use while ${free} of the allowance is free`);
  }
  if (cycle.debtMicros > 0 && free + bonusRemaining(books, nowMs) > 0)
    faults.push("there is debt while credit is free");
  return checkOf("monthly_before_bonus", 1, "order of draws: allowance, then bonus, then debt", faults);
}

function checkTurns(books: Books, entries: readonly Entry[]): AuditCheck {
  const starts = entries.flatMap((entry) => (entry.facts.type === "cycle_started" ? [entry.facts.startsAtMs] : []));
  const faults = starts.flatMap((start, i) => {
    const before = starts[i - 1];
    if (before === undefined || before < start) return [];
    return [`the cycle of ${formatIso(start)} started after that of ${formatIso(before)}`];
  });
  const last = starts.at(-1) ?? null;
  if (last !== books.cycle.startsAtMs) {
    const started = formatIso(books.cycle.startsAtMs);
    faults.push(`the running cycle started ${started}, the journal says ${formatIsoOrNull(last)}`);
  }
  return checkOf("one_turn_per_cycle", starts.length, "cycles started once each", faults);
}

function checkHolds(ledger: Ledger): AuditCheck {
  const sums: Record<Unit, bigint> = { credits: 0n, usd: 0n };
  const rows = ledger.sql.all("SELECT hold_unit, hold_micros FROM runs WHERE hold_expires_at_ms IS NOT NULL");
  for (const row of rows) sums[row.hold_unit as Unit] += BigInt(row.hold_micros as number);
  const faults = UNITS.flatMap((unit) => {
    const held = ledger.books.held[unit];
    return BigInt(held) === sums[unit] ? [] : [`held ${held} ${unit}, the active holds sum to ${sums[unit]}`];
  });
  return checkOf("held", rows.length, "active holds sum to what is held", faults);
}

function checkJournal(ledger: Ledger, entries: readonly Entry[]): AuditCheck {
  const { sql } = ledger;
  const { seq } = ledger.books;
  const folded = getProgress(sql, "folded");
  const counted = Number(sql.all("SELECT count(*) AS n FROM entries")[0]?.n) + getProgress(sql, "items_folded");
  const rows = loadOutbox(sql, folded, MAX_MICROS);
  const items = rows.reduce((sum, row) => sum + row.items.length, 0);
  const faults = counted + items === seq ? [] : [`seq is ${seq}, the journal holds ${counted + items}`];
  const last = Math.max(entries.at(-1)?.seq ?? 0, rows.at(-1)?.lastSeq ?? 0);
  if (last > seq) faults.push(`the journal reaches ${last}, seq is ${seq}`);
  return checkOf("journal_without_gaps", seq, "steps of the journal, none missing", faults);
}

function checkReplay(ledger: Ledger, entries: readonly Entry[]): AuditCheck {
  const { books, sql } = ledger;
  const faults: string[] = [];
  const compare = (what: string, stored: unknown, replayed: unknown) => {
    if (stored !== replayed) faults.push(`${what} is ${stored}, the journal replays to ${replayed}`);
  };
  const replay = { allowance: 0, cap: null as number | null, granted: 0n, expired: 0n, voided: 0n };
  for (const { facts } of entries) {
    if (facts.type === "cycle_started" || facts.type === "plan_changed") replay.allowance = facts.allowanceMicros;
    if (facts.type === "cap_changed") replay.cap = facts.toMicros;
    if (facts.type === "grant_added") replay.granted += BigInt(facts.amountMicros);
    if (facts.type === "grant_expired") replay.expired += BigInt(facts.amountMicros);
    if (facts.type === "grant_voided") replay.voided += BigInt(facts.amountMicros);
  }
  compare("the allowance", books.cycle.allowanceMicros, replay.allowance);
  compare("the cap", books.capMicros, replay.cap);
  const sums = { granted: 0n, expired: 0n, voided: 0n };
  for (const row of sql.all("SELECT amount_micros, expired_micros, voided_micros FROM grants")) {
    sums.granted += BigInt(row.amount_micros as number);
    sums.expired += BigInt(row.expired_micros as number);
    sums.voided += BigInt(row.voided_micros as number);
  }
  for (const what of ["granted", "expired", "voided"] as const) compare(what, sums[what], replay[what]);
  const { cycle } = books;
  compare(
    "use in credits",
    cycle.monthlyUsedMicros + cycle.bonusUsedMicros + cycle.debtMicros,
    cycleTotal(ledger, "credits"),
  );
  compare("spend", cycle.spendUsedMicros, cycleTotal(ledger, "usd"));
  return checkOf("journal_replays", entries.length, "entries and the debits replay to the balances", faults);
}

/** Returns this cycle's charges: the folded totals plus the outbox rows that are not folded yet. */
function cycleTotal(ledger: Ledger, unit: Unit): number {
  const { sql, books } = ledger;
  const statement =
    "SELECT amount_micros FROM totals_cycle WHERE unit = ? AND cycle_starts_at_ms = ? AND dimension = 'all'";
  let sum = Number(sql.all(statement, unit, books.cycle.startsAtMs)[0]?.amount_micros ?? 0);
  for (const row of loadOutbox(sql, getProgress(sql, "folded"), MAX_MICROS)) {
    for (const { debit } of row.items) {
      if (debit?.unit === unit && debit.cycleMs === books.cycle.startsAtMs) sum += debit.cycleMicros;
    }
  }
  return sum;
}

function checkTotals(sql: Sql): AuditCheck {
  const faults: string[] = [];
  const byDimension =
    sql.all(`SELECT unit, cycle_starts_at_ms AS cycle, dimension, sum(amount_micros) AS amount, sum(requests) AS requests
    FROM totals_cycle GROUP BY unit, cycle, dimension ORDER BY unit, cycle, dimension`);
  const all = new Map(
    byDimension.filter((row) => row.dimension === "all").map((row) => [`${row.unit} ${row.cycle}`, row]),
  );
  for (const row of byDimension) {
    const whole = all.get(`${row.unit} ${row.cycle}`);
    if (whole?.amount === row.amount && whole?.requests === row.requests) continue;
    faults.push(
      `by ${row.dimension}: ${row.amount} in ${row.requests} requests, in all ${whole?.amount} in ${whole?.requests}`,
    );
  }
  const bySpan = sql.all(
    "SELECT unit, surface, span, sum(amount_micros) AS amount FROM totals_time GROUP BY unit, surface, span",
  );
  const spans = Object.entries(Object.groupBy(bySpan, ({ unit, surface }) => `${surface} in ${unit}`));
  for (const [label, rows = []] of spans) {
    const [hours, days] = ["hour", "day"].map((span) => rows.find((row) => row.span === span)?.amount);
    if (hours !== days) faults.push(`${label}: hours sum to ${hours}, days to ${days}`);
  }
  return checkOf(
    "totals_agree",
    byDimension.length + bySpan.length,
    "totals by hour, day, workspace, group and user agree",
    faults,
  );
}
