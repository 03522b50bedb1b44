/**
 * What active holds take of each workspace, group and user: one row for each id with a hold. Only budgets read these
 * sums. Outbox rows say how their commit has moved them, and folding the outbox adds that up, so a debit writes no row
 * for them. Commits made while there is no budget say nothing. Then the sums are unknown, and are summed from the runs
 * when a budget next needs them. Expired holds count until they are ended.
 */
import type { BudgetScope } from "../../ledger/budget.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/dimensions.ts";
import { UNITS, type Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { getProgress, setProgress } from "./progress.ts";
import type { Sql } from "./sql.ts";

export type ByUnit = Record<Unit, number>;

export const NOTHING: ByUnit = { credits: 0, usd: 0 };

export function addUnits(sum: ByUnit | undefined, delta: ByUnit): ByUnit {
  return { credits: (sum?.credits ?? 0) + delta.credits, usd: (sum?.usd ?? 0) + delta.usd };
}

export function placeOf({ dimension, id }: BudgetScope): string {
  return `${dimension} ${id}`;
}

/** How a commit has moved the sum of one id. Every commit that moves a hold stores some, so they are short lists. */
type HeldMove = [dimension: Dimension, id: string, credits: number, usd: number];

export const HELD_STEP: string[] = [
  // `id` may be a user's id. Rows whose sums are zero are deleted.
  `CREATE TABLE held_sums (
    dimension TEXT NOT NULL CHECK (dimension IN ('workspace', 'group', 'user')),
    id TEXT NOT NULL,
    credits INTEGER NOT NULL CHECK (credits BETWEEN -9007199254740991 AND 9007199254740991),
    usd INTEGER NOT NULL CHECK (usd BETWEEN -9007199254740991 AND 9007199254740991),
    PRIMARY KEY (dimension, id)
  ) STRICT, WITHOUT ROWID`,
  // How the row's commit has moved the sums, as JSON. Null if that is not known. Its ids may be users' ids.
  "ALTER TABLE outbox_items ADD COLUMN held TEXT",
];

/** What to store with the outbox rows of a commit that moves no hold. */
export const NO_MOVES = "[]";

export function writeMoves(moves: ReadonlyMap<BudgetScope, ByUnit>): string {
  const lists: HeldMove[] = [];
  for (const [{ dimension, id }, { credits, usd }] of moves) {
    if (credits !== 0 || usd !== 0) lists.push([dimension, id, credits, usd]);
  }
  return lists.length === 0 ? NO_MOVES : JSON.stringify(lists);
}

/** Adds moves to the sums, as part of the caller's transaction. */
export function addMoves(sql: Sql, moves: readonly string[]): void {
  const sums = new Map<string, HeldMove>();
  for (const text of moves) {
    if (text === NO_MOVES) continue;
    for (const [dimension, id, credits, usd] of JSON.parse(text) as HeldMove[]) {
      const place = `${dimension} ${id}`;
      const sum = sums.get(place);
      sums.set(place, [dimension, id, (sum?.[2] ?? 0) + credits, (sum?.[3] ?? 0) + usd]);
    }
  }
  if (sums.size === 0) return;
  const lists = JSON.stringify([...sums.values()]);
  sql.run(
    `INSERT INTO held_sums (dimension, id, credits, usd)
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE true
      ON CONFLICT DO UPDATE SET credits = credits + excluded.credits, usd = usd + excluded.usd`,
    lists,
  );
  sql.run(
    `DELETE FROM held_sums WHERE credits = 0 AND usd = 0
      AND (dimension, id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?1))`,
    lists,
  );
}

/** Folds outbox rows into the sums. If the sums do not include all earlier rows, they stay unknown. */
export function foldHeld(sql: Sql, rows: readonly { held: string | null }[], foldedBefore: number, to: number): void {
  if (!isComplete(sql, foldedBefore)) return;
  const moves = rows.map(({ held }) => held);
  if (!moves.every((held) => held !== null)) return;
  addMoves(sql, moves);
  setProgress(sql, "held_folded", to + 1);
}

/** Makes sure that the sums include all rows that are folded: sums the runs if the sums are unknown. */
export function completeHeld(sql: Sql): void {
  const folded = getProgress(sql, "folded");
  if (isComplete(sql, folded)) return;
  sql.run("DELETE FROM held_sums");
  for (const dimension of DIMENSIONS) {
    const sums = UNITS.map((unit) => `sum(iif(hold_unit = '${unit}', hold_micros, 0))`).join(", ");
    sql.run(
      `INSERT INTO held_sums (dimension, id, credits, usd) SELECT '${dimension}', ${ID_OF_RUN[dimension]} AS id, ${sums}
        FROM runs WHERE hold_expires_at_ms IS NOT NULL AND hold_micros > 0 GROUP BY 2`,
    );
  }
  setProgress(sql, "held_folded", folded + 1);
}

/** Makes the sums unknown, because runs have moved to other ids. */
export function forgetHeld(sql: Sql): void {
  sql.run("DELETE FROM held_sums");
  setProgress(sql, "held_folded", 0);
}

/** Whether the sums include all rows up to this seq. */
export function isComplete(sql: Sql, folded: number): boolean {
  return getProgress(sql, "held_folded") === folded + 1;
}

/** How a commit has moved the sum of one id. */
export function movesFor(held: string | null, of: BudgetScope): ByUnit {
  const moves = movesOf(held).filter(({ dimension, id }) => dimension === of.dimension && id === of.id);
  return moves.reduce((sum, { micros }) => addUnits(sum, micros), NOTHING);
}

/** How a commit has moved the sums. */
export function movesOf(held: string | null): (BudgetScope & { micros: ByUnit })[] {
  const moves = JSON.parse(held ?? NO_MOVES) as HeldMove[];
  return moves.map(([dimension, id, credits, usd]) => ({ dimension, id, micros: { credits, usd } }));
}

/** The columns of the index `runs_with_hold`. */
export const HOLD_ORDER = "hold_expires_at_ms, hold_unit, hold_micros, run";

/**
 * Selects a portion of the holds that have expired and are not ended, in the order of the index. Its parameters are the
 * time, the values of the index after which the portion starts, and how many holds it may have.
 */
export function selectExpired(columns: string): string {
  return `SELECT ${columns} FROM runs WHERE hold_expires_at_ms <= ? AND (${HOLD_ORDER}) > (?, ?, ?, ?)
    ORDER BY ${HOLD_ORDER} LIMIT ?`;
}

/**
 * Sums holds that have expired by then and are not ended, by the ids of their runs. Also returns how many holds these are.
 * The database adds them up, in the order of the index `runs_with_hold`.
 *
 * @param after the values of the index after which the portion starts
 */
export function sumExpired(
  sql: Sql,
  nowMs: AtMs,
  after: readonly (string | number)[],
  limit: number,
): { count: number; sums: { scope: BudgetScope; micros: ByUnit }[] } {
  const ids = DIMENSIONS.map((dimension) => `${ID_OF_RUN[dimension]} AS id_of_${dimension}`).join(", ");
  const portion = selectExpired(`hold_unit, hold_micros, ${ids}`);
  const sums = UNITS.map((unit) => `sum(iif(hold_unit = '${unit}', hold_micros, 0)) AS ${unit}`).join(", ");
  const byId = DIMENSIONS.map(
    (dimension) => `SELECT '${dimension}' AS dimension, id_of_${dimension} AS id, count(*) AS count, ${sums}
      FROM portion GROUP BY 2`,
  ).join(" UNION ALL ");
  const rows = sql.all(`WITH portion AS MATERIALIZED (${portion}) ${byId}`, nowMs, ...after, limit);
  const ofOne = rows.filter(({ dimension }) => dimension === DIMENSIONS[0]);
  return {
    count: ofOne.reduce((sum, { count }) => sum + (count as number), 0),
    sums: rows.map((row) => ({
      scope: { dimension: row.dimension as Dimension, id: row.id as string },
      micros: { credits: row.credits as number, usd: row.usd as number },
    })),
  };
}

/** The id of a run in each dimension. Until its first report, a run without a group has the directory's. */
const ID_OF_RUN: Record<Dimension, string> = {
  workspace: "workspace",
  group: `coalesce(group_id,
    (SELECT names.group_id FROM names WHERE names.kind = 'workspace' AND names.id = runs.workspace), 'none')`,
  user: "user",
};
