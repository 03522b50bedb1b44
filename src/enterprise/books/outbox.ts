/**
 * The outbox: changes that the copy in D1 does not have yet. Each commit adds one row. The row has an item for every
 * debit that changed a meter, and one for every change of a hold. Items are folded into totals, and are deleted once
 * the copy has them.
 */
import { type Meter, NO_GROUP, type Run, type Surface } from "../../ledger/books.ts";
import type { Debit } from "../../ledger/debit.ts";
import { KINDS, type Kind } from "../../ledger/kinds.ts";
import type { Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { type UsageChange, usageChanges } from "../../ledger/usage-change.ts";
import { NO_MOVES } from "./held-sums.ts";
import type { Sql, SqlRow } from "./sql.ts";

/** One change. Every debit stores one as JSON, so the keys are short. */
export type OutboxItem = {
  /** The seq of the change. */
  n: number;
  run: string;
  /** What the debit adds to the totals. Null for a change of a hold, which changes no total. */
  debit: OutboxDebit | null;
};

export type OutboxDebit = {
  unit: Unit;
  /** The charge; negative for a refund. */
  micros: number;
  /** The part of the charge that counts in the current cycle. A refund of an earlier cycle's charge does not count. */
  cycleMicros: number;
  cycleMs: AtMs;
  /** The part of the charge that counts on the current local day, if it is not all of it. */
  dayMicros?: number;
  /** 1 for the first report of a run; of imported history, what is added. */
  requests: number;
  surface: Surface;
  workspace: string;
  group: string;
  user: string;
  /** What the debit adds to the usage cube. Absent in items of the last release. */
  use?: OutboxUse[];
};

/** A `UsageChange` as a short list: of each kind that changes, its quantity and its amount. */
export type OutboxUse = [
  model: string,
  tier: string,
  ofModel: number,
  ofMeter: number,
  savingsMicros: number,
  kinds: { [kind in Kind]?: [quantity: number, micros: number] },
];

/** The items of one commit. The time zone determines the local hour and day in which they count. */
export type OutboxRow = {
  lastSeq: number;
  atMs: AtMs;
  timeZone: string;
  items: OutboxItem[];
  /** How the commit has moved what is held of each id; null if that is not known. Only held-sums.ts reads it. */
  held: string | null;
};

/** @param meters all meters of the run, before or after the debit */
export function debitItem(debit: Debit, meters: readonly Meter[]): OutboxItem {
  const { run, meter, books } = debit;
  const others = meters.filter(({ key }) => key !== meter.key);
  const counts = debit.firstOfRun || debit.chargedMicros !== 0;
  return {
    n: books.seq,
    run: run.run,
    debit: {
      unit: meter.unit,
      micros: debit.chargedMicros,
      cycleMicros: debit.cycleMicros,
      cycleMs: books.cycle.startsAtMs,
      ...(debit.dayMicros === debit.chargedMicros ? {} : { dayMicros: debit.dayMicros }),
      requests: debit.firstOfRun ? 1 : 0,
      surface: run.surface,
      workspace: run.workspace,
      group: run.group ?? NO_GROUP,
      user: run.user,
      use: usageChanges(debit, others)
        .map(useOf)
        .filter((use, i) => (i === 0 && counts) || changesCube(use)),
    },
  };
}

/** False for a report that adds no usage, such as a final with the known totals. It must not add an empty row. */
function changesCube([, , ofModel, ofMeter, savingsMicros, kinds]: OutboxUse): boolean {
  return ofModel !== 0 || ofMeter !== 0 || savingsMicros !== 0 || Object.keys(kinds).length > 0;
}

function useOf({ model, tier, ofModel, ofMeter, savingsMicros, quantities, amounts }: UsageChange): OutboxUse {
  const kinds: OutboxUse[5] = {};
  for (const { kind } of KINDS) {
    const change: [number, number] = [quantities[kind] ?? 0, amounts[kind] ?? 0];
    if (change[0] !== 0 || change[1] !== 0) kinds[kind] = change;
  }
  return [model, tier, ofModel, ofMeter, savingsMicros, kinds];
}

export function holdItem(run: Run, seq: number): OutboxItem {
  return { n: seq, run: run.run, debit: null };
}

/** A row of this size is parsed in a few milliseconds, and is far below the 2 MB that SQLite on Cloudflare accepts. */
const MAX_ROW_ITEMS = 500;
const MAX_ROW_CHARS = 200_000;

/**
 * Stores the items of one commit, as part of its transaction, in as few rows as the limits allow.
 *
 * @param held how the commit has moved what is held of each id; null if that is not known
 */
export function putOutbox(
  sql: Sql,
  items: readonly OutboxItem[],
  atMs: AtMs,
  timeZone: string,
  held: string | null,
): void {
  const statement = "INSERT INTO outbox_items (last_seq, at_ms, time_zone, items, held) VALUES (?, ?, ?, ?, ?)";
  let moves = held;
  let row: string[] = [];
  let chars = 0;
  items.forEach((item, i) => {
    const text = JSON.stringify(item);
    row.push(text);
    chars += text.length;
    const full = row.length === MAX_ROW_ITEMS || chars > MAX_ROW_CHARS;
    if (!full && i + 1 < items.length) return;
    sql.run(statement, item.n, atMs, timeZone, `[${row.join(",")}]`, moves);
    moves = moves === null ? null : NO_MOVES;
    row = [];
    chars = 0;
  });
}

/** Loads the oldest rows after `afterSeq`, as many as have about `maxChars` characters, but at least one. */
export function loadOutboxPortion(sql: Sql, afterSeq: number, maxRows: number, maxChars: number): OutboxRow[] {
  const statement = "SELECT length(items) AS chars FROM outbox_items WHERE last_seq > ? ORDER BY last_seq LIMIT ?";
  let chars = 0;
  const fits = sql.all(statement, afterSeq, maxRows).filter((row) => (chars += row.chars as number) <= maxChars);
  return loadOutbox(sql, afterSeq, Math.max(1, fits.length));
}

/** Loads the rows after `afterSeq`, oldest first. */
export function loadOutbox(sql: Sql, afterSeq: number, limit: number): OutboxRow[] {
  const statement = "SELECT * FROM outbox_items WHERE last_seq > ? ORDER BY last_seq LIMIT ?";
  return sql.all(statement, afterSeq, limit).map(outboxOfRow);
}

/** How much of the outbox is read to find the runs of its changes. */
const MAX_OWED_ROWS = 5_000;
const MAX_OWED_CHARS = 2_000_000;

/** Returns whether the copy lacks a change of a run. If it lacks more than is read here, it counts as lacking one of any. */
export function loadRunsOwed(sql: Sql): (run: string) => boolean {
  const rows = loadOutboxPortion(sql, 0, MAX_OWED_ROWS, MAX_OWED_CHARS);
  if (loadOutbox(sql, rows.at(-1)?.lastSeq ?? 0, 1).length > 0) return () => true;
  const owed = new Set(rows.flatMap(({ items }) => items.map(({ run }) => run)));
  return (run) => owed.has(run);
}

function outboxOfRow(row: SqlRow): OutboxRow {
  return {
    lastSeq: row.last_seq as number,
    atMs: row.at_ms as number,
    timeZone: row.time_zone as string,
    items: JSON.parse(row.items as string) as OutboxItem[],
    held: row.held as string | null,
  };
}
