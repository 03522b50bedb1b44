/**
 * The list of the grants of which something is left, so that an instance that wakes need not read all others. Triggers
 * keep it. They cost a row only when a grant is added, used up, ends or is refunded. Filling the list reads the grants
 * once, as each instance that woke did before.
 */

export const OPEN_GRANTS_STEP: string[] = [
  "CREATE TABLE open_grants (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
  `INSERT INTO open_grants SELECT id FROM grants WHERE ${isOpen("grants")}`,
  `CREATE TRIGGER grant_added AFTER INSERT ON grants WHEN ${isOpen("NEW")}
    BEGIN INSERT OR IGNORE INTO open_grants VALUES (NEW.id); END`,
  `CREATE TRIGGER grant_closed AFTER UPDATE ON grants WHEN ${isOpen("OLD")} AND NOT ${isOpen("NEW")}
    BEGIN DELETE FROM open_grants WHERE id = NEW.id; END`,
  `CREATE TRIGGER grant_reopened AFTER UPDATE ON grants WHEN ${isOpen("NEW")} AND NOT ${isOpen("OLD")}
    BEGIN INSERT OR IGNORE INTO open_grants VALUES (NEW.id); END`,
  // Few people were erased so far, so creating these indexes is quick.
  "CREATE INDEX erasures_by_hash ON erasures (hash)",
  "CREATE INDEX erasures_to_do ON erasures (replacement) WHERE user IS NOT NULL",
];

/** A condition: whether something is left of a grant. */
function isOpen(row: "grants" | "NEW" | "OLD"): string {
  return `(${row}.drawn_micros + ${row}.expired_micros + ${row}.voided_micros < ${row}.amount_micros)`;
}
