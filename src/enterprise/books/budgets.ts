/**
 * The budgets of an enterprise in memory, and the sums of what is used and held of them, as of the last commit. What is
 * used is derived from the totals that the outbox is folded into, so a debit stores nothing more for budgets. A sum is
 * loaded when a budget first needs it, and then follows every charge. What is held is derived from the runs. Losing this
 * memory is harmless.
 */
import {
  BUDGET_PERIODS,
  type Budget,
  type BudgetKey,
  type BudgetPeriod,
  type BudgetScope,
} from "../../ledger/budget.ts";
import { DIMENSIONS } from "../../ledger/dimensions.ts";
import { UNITS, type Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { foldPortions } from "../copy/totals.ts";
import { loadBudgets } from "./budget-rows.ts";
import type { Sql } from "./sql.ts";

/**
 * The totals lack so much of the outbox that folding it takes several calls. This happens only if D1 has been down for
 * a long time under load. Each call that fails with it folds a portion.
 */
export class TotalsBehind extends Error {
  constructor() {
    super("LedgerBusy: the outbox is not folded into the totals yet");
  }
}

export type ByUnit = Record<Unit, number>;
export type ByPeriod<T> = Record<BudgetPeriod, T>;

/** What was charged to one id in the current periods, and the levels that were announced. */
export type Used = { startsAtMs: ByPeriod<AtMs>; micros: Record<Unit, ByPeriod<number>>; level: ByPeriod<number> };

/** An id's sums take about 400 bytes, so a full cache takes about 8 MB. */
const MAX_CACHED = 20_000;

export class Budgets {
  /** Null until they are loaded. */
  #budgets: Map<string, Budget> | null = null;
  /** Least recently changed first. */
  readonly used = new Map<string, Used>();
  /** What the stored runs hold, expired holds included. Null until it is loaded. */
  held: Map<string, ByUnit> | null = null;

  constructor(readonly sql: Sql) {}

  get none(): boolean {
    return this.#all().size === 0;
  }

  get count(): number {
    return this.#all().size;
  }

  readonly find = (key: BudgetKey): Budget | undefined => this.#all().get(keyOf(key));

  /** All budgets, by dimension, id and period. The default comes first. */
  list(): Budget[] {
    return [...this.#all().values()].sort(this.compare);
  }

  /** Compares two budgets by their place in the list. `*` sorts before every id. */
  compare(a: BudgetKey, b: BudgetKey): number {
    const dimensions = DIMENSIONS.indexOf(a.dimension) - DIMENSIONS.indexOf(b.dimension);
    if (dimensions !== 0) return dimensions;
    if (a.id !== b.id) return a.id < b.id ? -1 : 1;
    return BUDGET_PERIODS.indexOf(a.period) - BUDGET_PERIODS.indexOf(b.period);
  }

  /** Adds or replaces a budget that is stored. */
  put(budget: Budget): void {
    // Until there was a budget, no sum followed the charges.
    if (this.none) this.clear();
    this.#all().set(keyOf(budget), budget);
  }

  remove(key: BudgetKey): void {
    this.#all().delete(keyOf(key));
    if (this.none) this.clear();
  }

  /** Adds what a committed change has moved. */
  keep(used: ReadonlyMap<string, Used>, held: ReadonlyMap<string, ByUnit>): void {
    for (const [place, sums] of used) {
      this.used.delete(place);
      this.used.set(place, sums);
    }
    for (const place of this.used.keys()) {
      if (this.used.size <= MAX_CACHED) break;
      this.used.delete(place);
    }
    if (this.held === null) return;
    for (const [place, delta] of held) {
      const sum = addUnits(this.held.get(place), delta);
      if (sum.credits === 0 && sum.usd === 0) this.held.delete(place);
      else this.held.set(place, sum);
    }
  }

  /** Forgets what runs hold, because runs without a report may now belong to another group. */
  forgetHolds(): void {
    this.held = null;
  }

  /** Forgets everything. It is loaded again when it is needed. */
  clear(): void {
    this.#budgets = null;
    this.used.clear();
    this.held = null;
  }

  /** Forgets everything after a failed commit, because the change may have loaded sums that were undone. */
  recover(error: unknown): void {
    this.clear();
    // The failed transaction has undone its folding. This portion stays, so a later call succeeds.
    if (error instanceof TotalsBehind) this.sql.transaction(() => foldPortions(this.sql));
  }

  #all(): Map<string, Budget> {
    this.#budgets ??= new Map(loadBudgets(this.sql).map((budget) => [keyOf(budget), budget]));
    return this.#budgets;
  }
}

function keyOf({ dimension, id, period }: BudgetKey): string {
  return `${dimension} ${period} ${id}`;
}

export function placeOf({ dimension, id }: BudgetScope): string {
  return `${dimension} ${id}`;
}

export function addUnits(sum: ByUnit | undefined, delta: ByUnit): ByUnit {
  return { credits: (sum?.credits ?? 0) + delta.credits, usd: (sum?.usd ?? 0) + delta.usd };
}

/** Loads what ids were charged by the totals, and the levels that were announced, in the periods with these starts. */
export function loadUsed(sql: Sql, scopes: readonly BudgetScope[], startsAtMs: ByPeriod<AtMs>): Map<string, Used> {
  const places = JSON.stringify(scopes.map(({ dimension, id }) => [dimension, id]));
  const rows = sql.all(LOAD_USED, places, startsAtMs.cycle, startsAtMs.day).map((row) => {
    const of = (name: string) => Number(row[name] ?? 0);
    const micros = Object.fromEntries(
      UNITS.map((unit) => [unit, { day: of(`day_${unit}`), cycle: of(`cycle_${unit}`) }]),
    ) as Used["micros"];
    const level = { day: of("day_level"), cycle: of("cycle_level") };
    const scope = { dimension: row.dimension, id: row.id } as BudgetScope;
    return [placeOf(scope), { startsAtMs, micros, level }] as const;
  });
  return new Map(rows);
}

const LOAD_USED = `SELECT k.value ->> 0 AS dimension, k.value ->> 1 AS id,
    ${UNITS.map(
      (unit) => `(SELECT amount_micros FROM totals_cycle WHERE unit = '${unit}' AND cycle_starts_at_ms = ?2
        AND dimension = k.value ->> 0 AND id = k.value ->> 1) AS cycle_${unit},
      coalesce((SELECT day_micros FROM totals_cycle WHERE unit = '${unit}' AND cycle_starts_at_ms = ?2
        AND dimension = k.value ->> 0 AND id = k.value ->> 1 AND day_starts_at_ms = ?3), 0)
      -- What the last release folded on the day of the upgrade.
      + coalesce((SELECT amount_micros FROM totals_day WHERE day_starts_at_ms = ?3
        AND dimension = k.value ->> 0 AND id = k.value ->> 1 AND unit = '${unit}'), 0) AS day_${unit}`,
    ).join(", ")},
    (SELECT level FROM budget_levels WHERE dimension = k.value ->> 0 AND id = k.value ->> 1
      AND period = 'day' AND period_starts_at_ms = ?3) AS day_level,
    (SELECT level FROM budget_levels WHERE dimension = k.value ->> 0 AND id = k.value ->> 1
      AND period = 'cycle' AND period_starts_at_ms = ?2) AS cycle_level
  FROM json_each(?1) AS k`;
