/**
 * The budgets within one change, or within one read: the sums of the last commit, and what the change has moved so far.
 * It loads the sums that a decision needs. The change adds what it has moved to the memory only after its commit.
 */
import type { Books, Run } from "../../ledger/books.ts";
import {
  BUDGET_PERIODS,
  type Budget,
  type BudgetLevel,
  type BudgetPeriod,
  type BudgetScope,
  type BudgetState,
  EVERY_ID,
} from "../../ledger/budget.ts";
import { budgetFor, budgetState, isLimited, levelReached, scopesOf } from "../../ledger/budgets.ts";
import { dayOf } from "../../ledger/calendar.ts";
import type { Micros, Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { dayMicrosOf } from "../copy/day-totals.ts";
import { foldPortions } from "../copy/totals.ts";
import { type Announced, putAnnounced } from "./budget-rows.ts";
import {
  addUnits,
  type Budgets,
  type ByPeriod,
  type ByUnit,
  loadUsed,
  placeOf,
  TotalsBehind,
  type Used,
} from "./budgets.ts";
import { groupOfWorkspace } from "./directory.ts";
import type { OutboxDebit } from "./outbox.ts";
import { RUNS } from "./rows.ts";
import type { Sql } from "./sql.ts";

/** A level of a budget that a change has reached for the first time in its period. */
type BudgetCrossing = { state: BudgetState; level: BudgetLevel };

export class BudgetChange {
  readonly #used = new Map<string, Used>();
  readonly #held = new Map<string, ByUnit>();
  readonly #charged = new Map<string, BudgetScope>();
  /** The runs whose expired holds this change has ended. */
  readonly #ended = new Set<string>();
  /** What expired holds hold that are not ended yet. Null until it is needed. */
  #overdue: Map<string, ByUnit> | null = null;

  constructor(
    readonly budgets: Budgets,
    readonly sql: Sql,
    readonly nowMs: AtMs,
    readonly books: () => Books,
  ) {}

  /** Counts a debit. Its outbox item must not be stored yet. */
  charge(debit: OutboxDebit): void {
    const scopes = scopesOf(debit);
    this.#load(scopes.filter((scope) => isLimited(this.budgets.find, scope)));
    for (const scope of scopes) {
      const known = this.#sumsOf(scope);
      if (known === null) continue;
      const { cycle, day } = known.micros[debit.unit];
      const micros = { cycle: cycle + debit.cycleMicros, day: day + dayMicrosOf(debit) };
      this.#used.set(placeOf(scope), { ...known, micros: { ...known.micros, [debit.unit]: micros } });
      this.#charged.set(placeOf(scope), scope);
    }
  }

  /** Counts a change of a run's hold or group. `before` is null for a new run. */
  moveHold(before: Run | null, after: Run): void {
    if (before?.hold === after.hold && before?.group === after.group) return;
    if (before !== null) this.#addHold(this.#held, before, -1);
    this.#addHold(this.#held, after, 1);
  }

  /** Notes that the change has ended an expired hold, which no longer counted. */
  endedHold(run: Run): void {
    this.#ended.add(run.run);
    if (this.#overdue !== null) this.#addHold(this.#overdue, run, -1);
  }

  /** The budgets of a run as they stand now: by workspace, group and user, and by day and cycle. */
  statesOfRun(run: Run): BudgetState[] {
    const scopes = scopesOf({ ...run, group: this.#groupOf(run) });
    return this.statesOf(scopes).filter(({ limitMicros }) => limitMicros !== null);
  }

  /** The budgets that apply to these ids as they stand now. */
  statesOf(scopes: readonly BudgetScope[]): BudgetState[] {
    const { find } = this.budgets;
    const found = scopes.flatMap((scope) =>
      BUDGET_PERIODS.flatMap((period) => {
        const budget = budgetFor(find, { ...scope, period });
        return budget === undefined ? [] : [{ scope, budget }];
      }),
    );
    this.#load(found.map(({ scope }) => scope));
    return found.map(({ scope, budget }) => this.#stateOf(scope, budget));
  }

  /** Checks the levels of an id whose budget has changed, as if it was charged. */
  watch(scope: BudgetScope): void {
    if (scope.id !== EVERY_ID) this.#charged.set(placeOf(scope), scope);
  }

  /** Raises the announced levels of the ids that were charged. Returns the levels that are new. */
  announce(): BudgetCrossing[] {
    if (this.#charged.size === 0) return [];
    const crossings: BudgetCrossing[] = [];
    const rows: Announced[] = [];
    for (const state of this.statesOf([...this.#charged.values()])) {
      const { dimension, id, period } = state;
      const level = state.active ? levelReached(state.limitMicros, state.usedMicros) : null;
      const sums = this.#sumsOf(state);
      if (level === null || sums === null || level <= sums.level[period]) continue;
      crossings.push({ state, level });
      this.#used.set(placeOf(state), { ...sums, level: { ...sums.level, [period]: level } });
      rows.push({ dimension, id, period, level, periodStartsAtMs: sums.startsAtMs[period] });
    }
    if (rows.length > 0) putAnnounced(this.sql, rows);
    return crossings;
  }

  /** Adds what this change has moved to the sums in memory. Call this only after the transaction has committed. */
  keep(): void {
    this.budgets.keep(this.#used, this.#held);
  }

  #stateOf(scope: BudgetScope, budget: Budget): BudgetState {
    const sums = this.#sumsOf(scope);
    const micros = sums?.micros[budget.unit] ?? { day: 0, cycle: 0 };
    // A refund of a charge that an earlier release made today may make the sum negative.
    const used = { day: Math.max(0, micros.day), cycle: Math.max(0, micros.cycle) };
    const heldMicros = scope.id === EVERY_ID ? 0 : this.#heldBy(scope, budget.unit);
    return budgetState(budget, scope.id, { used, heldMicros }, this.books(), this.nowMs);
  }

  /** The sums of an id in the current periods; null if they are not loaded. */
  #sumsOf(scope: BudgetScope): Used | null {
    const place = placeOf(scope);
    const known = this.#used.get(place) ?? this.budgets.used.get(place);
    if (known === undefined) return null;
    const startsAtMs = this.#starts();
    if (known.startsAtMs.day === startsAtMs.day && known.startsAtMs.cycle === startsAtMs.cycle) return known;
    // A period without a charge so far.
    const fresh = (period: BudgetPeriod, value: number) =>
      known.startsAtMs[period] === startsAtMs[period] ? value : 0;
    const both = (values: ByPeriod<number>) => ({ day: fresh("day", values.day), cycle: fresh("cycle", values.cycle) });
    const micros = { credits: both(known.micros.credits), usd: both(known.micros.usd) };
    return { startsAtMs, micros, level: both(known.level) };
  }

  /** Loads the sums of ids that are not in memory. What the outbox has of them is folded into the totals first. */
  #load(scopes: readonly BudgetScope[]): void {
    const known = (place: string) => this.#used.has(place) || this.budgets.used.has(place);
    const missing = scopes.filter((scope) => scope.id !== EVERY_ID && !known(placeOf(scope)));
    if (missing.length === 0) return;
    if (!foldPortions(this.sql)) throw new TotalsBehind();
    const startsAtMs = this.#starts();
    for (const [place, used] of loadUsed(this.sql, missing, startsAtMs)) this.#used.set(place, used);
  }

  #heldBy(scope: BudgetScope, unit: Unit): Micros {
    this.budgets.held ??= this.#sumHolds("hold_expires_at_ms IS NOT NULL");
    const place = placeOf(scope);
    const stored = (this.budgets.held.get(place)?.[unit] ?? 0) + (this.#held.get(place)?.[unit] ?? 0);
    if (this.books().overdue[unit] === 0) return stored;
    this.#overdue ??= this.#sumHolds("hold_expires_at_ms <= ?", this.nowMs);
    return stored - (this.#overdue.get(place)?.[unit] ?? 0);
  }

  /** Sums the stored holds that match, by id, except those that this change has ended because they had expired. */
  #sumHolds(condition: string, ...params: number[]): Map<string, ByUnit> {
    const sums = new Map<string, ByUnit>();
    const overdueOnly = params.length > 0;
    for (const row of this.sql.all(`SELECT * FROM runs WHERE ${condition}`, ...params)) {
      const run = RUNS.read(row);
      if (!overdueOnly || !this.#ended.has(run.run)) this.#addHold(sums, run, 1);
    }
    return sums;
  }

  #addHold(sums: Map<string, ByUnit>, run: Run, sign: 1 | -1): void {
    if (run.hold === null || run.hold.micros === 0) return;
    const { unit, micros } = run.hold;
    for (const scope of scopesOf({ ...run, group: this.#groupOf(run) })) {
      const place = placeOf(scope);
      sums.set(place, addUnits(sums.get(place), { credits: 0, usd: 0, [unit]: sign * micros }));
    }
  }

  /** The group of a run: its own, else the directory's. The first report fixes it. */
  #groupOf(run: Run): string | null {
    return run.group ?? groupOfWorkspace(this.sql, run.workspace);
  }

  #starts(): ByPeriod<AtMs> {
    const { cycle } = this.books();
    return { day: dayOf(cycle, this.nowMs), cycle: cycle.startsAtMs };
  }
}
