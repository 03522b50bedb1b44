/**
 * The outbox: changes that the copy in D1 does not have yet. Each commit adds one row. The row has an item for every
 * debit that changed a meter, and one for every change of a hold. Items are folded into totals, and are deleted once
 * the copy has them.
 */
import { NO_GROUP, type Run, type Surface } from "../../ledger/books.ts";
import type { Debit } from "../../ledger/debit.ts";
import type { Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
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
  /** 1 for the first report of a run. */
  requests: 0 | 1;
  surface: Surface;
  workspace: string;
  group: string;
  user: string;
};

/** The items of one commit. The time zone determines the local hour and day in which they count. */
export type OutboxRow = { lastSeq: number; atMs: AtMs; timeZone: string; items: OutboxItem[] };

export function debitItem(debit: Debit): OutboxItem {
  const { run, meter, books } = debit;
  return {
    n: books.seq,
    run: run.run,
    debit: {
      unit: meter.unit,
      micros: debit.chargedMicros,
      cycleMicros: debit.cycleMicros,
      cycleMs: books.cycle.startsAtMs,
      requests: debit.firstOfRun ? 1 : 0,
      surface: run.surface,
      workspace: run.workspace,
      group: run.group ?? NO_GROUP,
      user: run.user,
    },
  };
}

export function holdItem(run: Run, seq: number): OutboxItem {
  return { n: seq, run: run.run, debit: null };
}

/** A row of this size is parsed in a few milliseconds, and is far below the 2 MB that SQLite on Cloudflare accepts. */
const MAX_ROW_ITEMS = 500;
const MAX_ROW_CHARS = 200_000;

/** Stores the items of one commit, as part of its transaction, in as few rows as the limits allow. */
export function putOutbox(sql: Sql, items: readonly OutboxItem[], atMs: AtMs, timeZone: string): void {
  const statement = "INSERT INTO outbox_items (last_seq, at_ms, time_zone, items) VALUES (?, ?, ?, ?)";
  let row: string[] = [];
  let chars = 0;
  items.forEach((item, i) => {
    const text = JSON.stringify(item);
    row.push(text);
    chars += text.length;
    const full = row.length === MAX_ROW_ITEMS || chars > MAX_ROW_CHARS;
    if (!full && i + 1 < items.length) return;
    sql.run(statement, item.n, atMs, timeZone, `[${row.join(",")}]`);
    row = [];
    chars = 0;
  });
}

/** Loads the rows after `afterSeq`, oldest first. */
export function loadOutbox(sql: Sql, afterSeq: number, limit: number): OutboxRow[] {
  const statement = "SELECT * FROM outbox_items WHERE last_seq > ? ORDER BY last_seq LIMIT ?";
  return sql.all(statement, afterSeq, limit).map(outboxOfRow);
}

function outboxOfRow(row: SqlRow): OutboxRow {
  return {
    lastSeq: row.last_seq as number,
    atMs: row.at_ms as number,
    timeZone: row.time_zone as string,
    items: JSON.parse(row.items as string) as OutboxItem[],
  };
}
