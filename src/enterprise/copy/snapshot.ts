/**
 * Builds batches with everything that an enterprise's copy in D1 should hold. A rebuild writes these batches, and the
 * audit compares them with the copy. Debits may commit between two batches.
 */
import type { Batch } from "../../copy/batch.ts";
import type { Ledger } from "../books/ledger.ts";
import { BATCH_RUNS, ENTRY_ROWS, headOf, loadNames, NAME_ROWS, settingsRevision } from "./projection.ts";
import { loadRunRows } from "./run-rows.ts";
import { foldOutbox, loadAllTotals } from "./totals.ts";

/** The rows of one table are sent as one JSON parameter. D1 accepts parameters of at most 2 MB. */
const TOTAL_ROWS = 5_000;

/**
 * Yields totals first, then runs, entries and names. Yields at least two batches, so the enterprise's own row is always
 * included.
 */
export function* snapshotBatches(ledger: Ledger): Generator<Batch> {
  const { sql, store } = ledger;
  sql.transaction(() => {
    while (foldOutbox(sql));
  });
  const empty = (): Batch => {
    const gauge = ledger.gauge();
    const head = sql.transaction(() => headOf(ledger, gauge));
    return {
      ...head,
      settingsRevision: settingsRevision(sql),
      totals: { time: [], cycle: [] },
      runs: [],
      entries: [],
      names: [],
      outboxSeq: 0,
    };
  };
  const totals = loadAllTotals(sql);
  for (const time of pagesOf(totals.time)) yield { ...empty(), totals: { time, cycle: [] } };
  for (const cycle of pagesOf(totals.cycle)) yield { ...empty(), totals: { time: [], cycle } };
  for (let after = ""; ; ) {
    const ids = sql.all("SELECT run FROM runs WHERE run > ? ORDER BY run LIMIT ?", after, BATCH_RUNS);
    if (ids.length === 0) break;
    const runs = ids.map((row) => row.run as string);
    after = runs.at(-1) as string;
    yield { ...empty(), runs: loadRunRows(ledger, runs) };
  }
  for (let after = 0; ; ) {
    const entries = store.loadEntriesAfter(after, ENTRY_ROWS);
    if (entries.length === 0) break;
    after = entries.at(-1)?.seq ?? after;
    yield { ...empty(), entries };
  }
  for (let after = 0; ; ) {
    const names = loadNames(sql, after, NAME_ROWS);
    if (names.length === 0) break;
    after = names.at(-1)?.revision ?? after;
    yield { ...empty(), names };
  }
}

/** Splits rows into pages that fit into one parameter each. Returns a single empty page if there are no rows. */
function pagesOf<T>(rows: readonly T[]): T[][] {
  const count = Math.max(1, Math.ceil(rows.length / TOTAL_ROWS));
  return Array.from({ length: count }, (_, page) => rows.slice(page * TOTAL_ROWS, (page + 1) * TOTAL_ROWS));
}
