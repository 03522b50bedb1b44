/**
 * Everything that the copy of an enterprise should hold, in batches: a rebuild writes them, and the audit compares them
 * with what the copy has. Debits may go on between two batches.
 */
import type { Batch } from "../../copy/batch.ts";
import type { Ledger } from "../books/ledger.ts";
import { BATCH_RUNS, ENTRY_ROWS, headOf, loadNames, NAME_ROWS, settingsRevision } from "./projection.ts";
import { loadRunRows } from "./run-rows.ts";
import { foldOutbox, loadAllTotals } from "./totals.ts";

/** The rows of a table go as one JSON value, of which D1 takes at most 2 MB. */
const TOTAL_ROWS = 5_000;

/** Totals first, then runs, entries and names. At least two batches, so that the enterprise's own row is always there. */
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

/** Portions small enough to travel as one parameter each; a single empty one when there are no rows. */
function pagesOf<T>(rows: readonly T[]): T[][] {
  const count = Math.max(1, Math.ceil(rows.length / TOTAL_ROWS));
  return Array.from({ length: count }, (_, page) => rows.slice(page * TOTAL_ROWS, (page + 1) * TOTAL_ROWS));
}
