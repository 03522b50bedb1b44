/**
 * What members see if the enterprise's setting `members_see` is `own`: the gauge and the cycles, and of everything else
 * only what belongs to themselves. Admins, keys and the operator see everything.
 */
import type { Caller } from "../access/callers.ts";
import type { Settings } from "../ledger/books.ts";
import type { Entry } from "../ledger/entries.ts";
import type { Ledger } from "./books/ledger.ts";

/** How many entries one call reads to find those of one person. */
const MAX_ENTRIES_READ = 1_000;

/** Returns the only user whose data the caller may see; null if the caller sees everything. */
export function onlyUserOf(caller: Caller, { membersSee }: Settings): string | null {
  return membersSee === "own" && "role" in caller && caller.role === "member" ? caller.user : null;
}

/**
 * Returns entries before `beforeSeq`, newest first, that record the end of a run of this user: at most `limit` + 1 of
 * them. Reads a bounded number of entries. If older ones were not read, `readToSeq` says where to go on.
 */
export function loadOwnEntries(
  { store, sql }: Ledger,
  user: string,
  beforeSeq: number,
  limit: number,
): { entries: Entry[]; readToSeq: number | null } {
  const read = store.loadEntryPage(beforeSeq, MAX_ENTRIES_READ);
  const closed = read.filter(({ facts }) => facts.type === "run_closed");
  const names = closed.map(({ facts }) => (facts.type === "run_closed" ? facts.run : ""));
  const rows = sql.all(
    "SELECT run FROM runs WHERE user = ?1 AND run IN (SELECT value FROM json_each(?2))",
    user,
    JSON.stringify(names),
  );
  const own = new Set(rows.map(({ run }) => run));
  const entries = closed.filter(({ facts }) => facts.type === "run_closed" && own.has(facts.run)).slice(0, limit + 1);
  const hasMore = entries.length <= limit && read.length === MAX_ENTRIES_READ;
  return { entries, readToSeq: hasMore ? (read.at(-1)?.seq ?? null) : null };
}
