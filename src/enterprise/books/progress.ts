/**
 * How far the object's background work has come: named numbers that only rise.
 * `folded` and `entries` are seqs: how far the totals and the copy reach. `names` and `settings` are the revisions that
 * the copy has, `…_revision` the latest ones (of the settings, the number of changes: their first revision is 1).
 * `copy` counts batches. `rebuild_asked` and `rebuilt` count rebuilds.
 */
import type { Sql } from "../books/sql.ts";

type ProgressName =
  | "folded"
  | "items_folded"
  | "entries"
  | "names_revision"
  | "names"
  | "settings_revision"
  | "settings"
  | "copy"
  | "rebuild_asked"
  | "rebuilt"
  | "pruned_at";

export function getProgress(sql: Sql, name: ProgressName): number {
  return Number(sql.all("SELECT value FROM progress WHERE name = ?", name)[0]?.value ?? 0);
}

/** Raises a revision by one and gives it. */
export function nextRevision(
  sql: Sql,
  name: "names_revision" | "settings_revision" | "copy" | "rebuild_asked",
): number {
  const revision = getProgress(sql, name) + 1;
  setProgress(sql, name, revision);
  return revision;
}

export function setProgress(sql: Sql, name: ProgressName, value: number): void {
  sql.run(
    "INSERT INTO progress (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    name,
    value,
  );
}
