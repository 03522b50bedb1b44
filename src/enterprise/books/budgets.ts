/**
 * The budgets of an enterprise in memory, and the sums of what is used and held of them, as of the last commit. What is
 * used is derived from the totals that the outbox is folded into, and what is held from held-sums.ts, so a debit stores
 * no further row for budgets. A sum is loaded when a budget first needs it, and then follows every change. Losing this
 * memory is harmless.
 */
import {
  BUDGET_PERIODS,
  type Budget,
  type BudgetKey,
  type BudgetPeriod,
  type BudgetScope,
} from "../../ledger/budget.ts";
import { budgetFor } from "../../ledger/budgets.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/dimensions.ts";
import { UNITS, type Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { foldPortions } from "../copy/totals.ts";
import { loadBudgets } from "./budget-rows.ts";
import { ExpiredHoldsById } from "./expired-holds.ts";
import { type ByUnit, completeHeld, placeOf } from "./held-sums.ts";
import type { Sql } from "./sql.ts";

/**
 * The totals lack so much of the outbox that folding it takes several calls. This happens only for a short time after a
 * budget was set while D1 was down under load. Each call that fails with it folds a portion.
 */
class TotalsBehind extends Error {
  constructor() {
    super("LedgerBusy: the outbox is not folded into the totals yet");
  }
}

export type ByPeriod<T> = Record<BudgetPeriod, T>;

/** What was charged to one id in the current periods, the levels that were announced, and what is held. */
export type Sums = {
  startsAtMs: ByPeriod<AtMs>;
  micros: Record<Unit, ByPeriod<number>>;
  level: ByPeriod<number>;
  /** Expired holds included, until they are ended. */
  held: ByUnit;
};

/** One id with the budgets that apply to it, by period, and its sums as of the last commit. */
export type Account = BudgetScope & {
  budgets: readonly Budget[];
  /** Whether one of the budgets has a limit. */
  limited: boolean;
  /** Null until they are loaded. */
  sums: Sums | null;
  /** Which version of the list of budgets `budgets` is from. */
  version: number;
};

/** An account takes about 500 bytes, so the accounts take about 10 MB at most. */
const MAX_ACCOUNTS = 20_000;

export class Budgets {
  /** Null until they are loaded. */
  #budgets: Map<string, Budget> | null = null;
  #version = 0;
  readonly #accounts: Record<Dimension, Map<string, Account>> = {
    workspace: new Map(),
    group: new Map(),
    user: new Map(),
  };
  /** What expired holds hold of each id. It follows every change only while there is a budget. */
  readonly expired: ExpiredHoldsById;

  constructor(readonly sql: Sql) {
    this.expired = new ExpiredHoldsById(sql);
  }

  get none(): boolean {
    return this.#all().size === 0;
  }

  get count(): number {
    return this.#all().size;
  }

  readonly find = (key: BudgetKey): Budget | undefined => this.#all().get(keyOf(key));

  /** Returns the account of an id. Within one change, it is the same object each time. */
  account(dimension: Dimension, id: string): Account {
    const known = this.#accounts[dimension].get(id);
    if (known !== undefined && known.version === this.#version) return known;
    const budgets = BUDGET_PERIODS.flatMap((period) => budgetFor(this.find, { dimension, id, period }) ?? []);
    const limited = budgets.some(({ limitMicros }) => limitMicros !== null);
    if (known !== undefined) return Object.assign(known, { budgets, limited, version: this.#version });
    const account: Account = { dimension, id, budgets, limited, sums: null, version: this.#version };
    this.#accounts[dimension].set(id, account);
    return account;
  }

  /** The accounts whose sums are loaded. */
  get loaded(): Account[] {
    return DIMENSIONS.flatMap((dimension) =>
      [...this.#accounts[dimension].values()].filter(({ sums }) => sums !== null),
    );
  }

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
    this.#version += 1;
  }

  remove(key: BudgetKey): void {
    this.#all().delete(keyOf(key));
    this.#version += 1;
    if (this.none) this.clear();
  }

  /** Keeps the memory bounded. Call this only between two changes. */
  trim(): void {
    const all = Object.values(this.#accounts);
    if (all.reduce((sum, { size }) => sum + size, 0) <= MAX_ACCOUNTS) return;
    for (const accounts of all) accounts.clear();
  }

  /** Forgets the sums, because runs may now belong to other ids. */
  forgetSums(): void {
    this.#forgetAccounts();
    this.expired.forget();
  }

  /** Forgets everything. It is loaded again when it is needed. */
  clear(): void {
    this.#forgetBudgets();
    this.expired.forget();
  }

  /** Forgets everything after a failed commit, because the change may have loaded sums that were undone. */
  recover(error: unknown): void {
    // What expired holds hold is summed over several attempts, from stored rows only.
    this.#forgetBudgets();
    // The failed transaction has undone its folding. This portion stays, so a later call succeeds.
    if (error instanceof TotalsBehind) this.sql.transaction(() => foldPortions(this.sql));
  }

  #forgetBudgets(): void {
    this.#budgets = null;
    this.#version += 1;
    this.#forgetAccounts();
  }

  #forgetAccounts(): void {
    for (const accounts of Object.values(this.#accounts)) accounts.clear();
  }

  #all(): Map<string, Budget> {
    this.#budgets ??= new Map(loadBudgets(this.sql).map((budget) => [keyOf(budget), budget]));
    return this.#budgets;
  }
}

function keyOf({ dimension, id, period }: BudgetKey): string {
  return `${dimension} ${period} ${id}`;
}

/**
 * Loads what ids were charged and hold by the totals, and the levels that were announced, in the periods with these
 * starts. Call `completeSums` before.
 */
export function loadSums(sql: Sql, scopes: readonly BudgetScope[], startsAtMs: ByPeriod<AtMs>): Map<string, Sums> {
  const places = JSON.stringify(scopes.map(({ dimension, id }) => [dimension, id]));
  const rows = sql.all(LOAD_SUMS, places, startsAtMs.cycle, startsAtMs.day).map((row) => {
    const of = (name: string) => Number(row[name] ?? 0);
    const micros = Object.fromEntries(
      UNITS.map((unit) => [unit, { day: of(`day_${unit}`), cycle: of(`cycle_${unit}`) }]),
    ) as Sums["micros"];
    const level = { day: of("day_level"), cycle: of("cycle_level") };
    const held = { credits: of("held_credits"), usd: of("held_usd") };
    const scope = { dimension: row.dimension, id: row.id } as BudgetScope;
    return [placeOf(scope), { startsAtMs, micros, level, held }] as const;
  });
  return new Map(rows);
}

/** Folds what the outbox has into the sums, as part of the caller's transaction. */
export function completeSums(sql: Sql): void {
  if (!foldPortions(sql)) throw new TotalsBehind();
  completeHeld(sql);
}

const LOAD_SUMS = `SELECT k.value ->> 0 AS dimension, k.value ->> 1 AS id,
    ${UNITS.map(
      (unit) => `(SELECT amount_micros FROM totals_cycle WHERE unit = '${unit}' AND cycle_starts_at_ms = ?2
        AND dimension = k.value ->> 0 AND id = k.value ->> 1) AS cycle_${unit},
      coalesce((SELECT day_micros FROM totals_cycle WHERE unit = '${unit}' AND cycle_starts_at_ms = ?2
        AND dimension = k.value ->> 0 AND id = k.value ->> 1 AND day_starts_at_ms = ?3), 0)
      -- What the last release folded on the day of the upgrade.
      + coalesce((SELECT amount_micros FROM totals_day WHERE day_starts_at_ms = ?3
        AND dimension = k.value ->> 0 AND id = k.value ->> 1 AND unit = '${unit}'), 0) AS day_${unit},
      (SELECT ${unit} FROM held_sums WHERE dimension = k.value ->> 0 AND id = k.value ->> 1) AS held_${unit}`,
    ).join(", ")},
    (SELECT level FROM budget_levels WHERE dimension = k.value ->> 0 AND id = k.value ->> 1
      AND period = 'day' AND period_starts_at_ms = ?3) AS day_level,
    (SELECT level FROM budget_levels WHERE dimension = k.value ->> 0 AND id = k.value ->> 1
      AND period = 'cycle' AND period_starts_at_ms = ?2) AS cycle_level
  FROM json_each(?1) AS k`;
