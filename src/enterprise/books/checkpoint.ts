/**
 * Removes entries that are past their retention (rule R10) behind a checkpoint. A checkpoint takes the place of the last
 * entry that it removes, and holds the balances from which the later entries replay. Removing works in portions: each
 * portion starts with the last checkpoint and moves it on.
 */

import { addToCheckpoint } from "../../ledger/checkpoint.ts";
import type { CheckpointFacts, Entry } from "../../ledger/entries.ts";
import type { AtMs } from "../../ledger/time.ts";
import { ENTRIES } from "./rows.ts";
import type { Store } from "./store.ts";

const PORTION_ROWS = 500;

/**
 * Removes a portion of the entries before `keptSinceMs` and up to `lastSeq`, in the caller's transaction. Returns true
 * if there may be more.
 */
export function removeEntries(store: Store, keptSinceMs: AtMs, lastSeq: number): boolean {
  const page = store.loadEntriesAfter(0, PORTION_ROWS);
  const end = page.findIndex(({ atMs, seq }) => atMs >= keptSinceMs || seq > lastSeq);
  const old = end === -1 ? page : page.slice(0, end);
  let facts: CheckpointFacts | null = null;
  let removed: Entry | undefined;
  for (const entry of old) {
    const next = addToCheckpoint(facts, entry.facts);
    if (next === null) break;
    facts = next;
    removed = entry;
  }
  if (removed === undefined || facts === null || removed.seq === old[0]?.seq) return false;
  const { seq, atMs, by } = removed;
  store.sql.run("DELETE FROM entries WHERE seq < ?", seq);
  ENTRIES.put(store.sql, [{ seq, atMs, by, facts }]);
  return end === -1 && page.length === PORTION_ROWS;
}

/** Loads the checkpoint behind which entries were removed; null if there is none. */
export function loadCheckpoint(store: Store): Entry | null {
  const first = store.loadEntriesAfter(0, 1)[0];
  return first?.facts.type === "checkpoint" ? first : null;
}
