/**
 * The rows of D1 that belong to a run besides its own: its models, so that runs are found by model, and what it was
 * charged in cycles other than its latest. Most runs have one model and one cycle, and neither changes.
 */
import type { Batch } from "./batch.ts";
import type { TableRows } from "./table-rows.ts";

export const MODEL_KEY = ["run", "model"] as const;
export const CYCLE_KEY = ["run", "unit", "cycle_starts_at_ms"] as const;

export function runParts({ runs, revision }: Pick<Batch, "runs" | "revision">): TableRows[] {
  return [
    {
      table: "run_models",
      columns: [...MODEL_KEY, "started_at_ms", "used", "revision"],
      keys: MODEL_KEY.length,
      values: runs.flatMap(({ run, models, formerModels, startedAtMs }) =>
        [...models, ...formerModels]
          .sort()
          .map((model) => [run, model, startedAtMs, Number(models.includes(model)), revision]),
      ),
      quiet: true,
    },
    {
      table: "run_cycles",
      columns: [...CYCLE_KEY, "started_at_ms", "micros", "revision"],
      keys: CYCLE_KEY.length,
      values: runs.flatMap(({ run, otherCycles, startedAtMs }) =>
        otherCycles.map(({ unit, cycleStartsAtMs, micros }) => [
          run,
          unit,
          cycleStartsAtMs,
          startedAtMs,
          micros,
          revision,
        ]),
      ),
      quiet: true,
    },
  ];
}

/**
 * Returns a statement that removes the cycles of the batch's runs that it does not list any more: a refund may undo all
 * that a run was charged in a cycle.
 */
export function removeCycles(db: D1Database, { enterprise, generation, runs, revision }: Batch): D1PreparedStatement[] {
  if (runs.length === 0) return [];
  const kept = runs.flatMap(({ run, otherCycles }) =>
    otherCycles.map(({ unit, cycleStartsAtMs }) => [run, unit, cycleStartsAtMs]),
  );
  const statement = `DELETE FROM run_cycles WHERE enterprise = ?1 AND run IN (SELECT value FROM json_each(?2))
    AND (run, unit, cycle_starts_at_ms) NOT IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?3))
    AND (generation, revision) < (?4, ?5) AND (SELECT generation FROM enterprises WHERE id = ?1) = ?4`;
  const names = JSON.stringify(runs.map(({ run }) => run));
  return [db.prepare(statement).bind(enterprise, names, JSON.stringify(kept), generation, revision)];
}
