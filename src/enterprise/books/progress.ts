/** Stores how far the Durable Object's background work has come, as named numbers that only increase. */
import type { Sql } from "./sql.ts";

type ProgressName =
  /** The seq up to which the outbox is folded into totals, and the number of items folded so far. */
  | "folded"
  | "items_folded"
  /** 1 + the seq up to which the outbox is folded into the sums of holds. Other than 1 + `folded`: they are unknown. */
  | "held_folded"
  /** The seq up to which the outbox is folded into the usage cube. Another number if an earlier release has folded. */
  | "cube_folded"
  /** The time of the last debit that is in the totals, but not in the usage cube; 0 if every debit is in both. */
  | "before_cube_ms"
  /** The seq of the last entry that the copy has. */
  | "entries"
  /** The latest revision of the names, and the revision that the copy has. */
  | "names_revision"
  | "names"
  /** How often the settings have changed, and the revision that the copy has. Revision = number of changes + 1. */
  | "settings_revision"
  | "settings"
  /** The revision of the last batch for the copy, and of the last batch that D1 has confirmed. */
  | "copy"
  | "confirmed"
  /** The copy is complete if D1 has every batch since this revision. */
  | "complete_since"
  /** The generation of the rows that are written to the copy. Each rebuild begins a new one. */
  | "generation"
  /** How many rebuilds were requested and fulfilled in the last release, which did not have jobs. */
  | "rebuild_asked"
  | "rebuilt"
  /** The number of the last change in the export's log; no row before the first export. */
  | "export_change"
  /** The seq up to which the outbox is in the export's log. */
  | "export_logged"
  /** The number of the last change that was deleted from the export's log. */
  | "export_pruned"
  /** How often the object was restored to an earlier time. */
  | "restores"
  /** The end of the cycle before whose turn the plan was read. */
  | "plan_read_for"
  /** When the deletion of the enterprise began, by the real clock. */
  | "deletion_begun_at"
  /** The start of the first cycle, once history before it was imported. */
  | "imported_before_ms"
  /** When pruning last ran, by the enterprise's clock. */
  | "pruned_at"
  /** When a size near the limit was last noted in the catalog, by the real clock; 0 if it is small. */
  | "size_noted_at"
  /** 1 while the catalog lists the copy as late. */
  | "copy_late_noted"
  /** When the daily deletion of old history last started, by the enterprise's clock. */
  | "retention_at"
  /** Which runs without a report were looked at: all that started at or before this time. */
  | "runs_seen_ms"
  /** When the enterprise was last listed in its directory, by the real clock, and what was listed. */
  | "listed_at"
  | "listed_settings"
  | "listed_seq"
  | "listed_attention"
  /** When the referrer last refused its grant because it had too many, by the real clock. */
  | "referral_refused_at"
  /** How many messages were given up, and how many of them the catalog knows. */
  | "deliveries_failed"
  | "deliveries_failed_recorded";

export function getProgress(sql: Sql, name: ProgressName): number {
  return Number(sql.all("SELECT value FROM progress WHERE name = ?", name)[0]?.value ?? 0);
}

/** Raises a revision by one and returns it. */
export function nextRevision(
  sql: Sql,
  name: "names_revision" | "settings_revision" | "copy" | "rebuild_asked" | "export_change",
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

export function addProgress(sql: Sql, name: "deliveries_failed", added: number): void {
  setProgress(sql, name, getProgress(sql, name) + added);
}
