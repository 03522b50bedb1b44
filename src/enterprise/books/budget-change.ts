/**
 * The budgets within one change, or within one read: the sums of the last commit, and what the change has moved so far.
 * It loads the sums that a decision needs. The change adds what it has moved to the memory only after its commit.
 */
import { type Books, type Cycle, type Run, unitOf } from "../../ledger/books.ts";
import {
  type Budget,
  type BudgetLevel,
  type BudgetPeriod,
  type BudgetScope,
  type BudgetState,
  EVERY_ID,
} from "../../ledger/budget.ts";
import { budgetState, levelReached, scopesOf } from "../../ledger/budgets.ts";
import { dayOf } from "../../ledger/calendar.ts";
import { type Micros, UNITS, type Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { dayMicrosOf } from "../copy/day-totals.ts";
import { type Announced, putAnnounced } from "./budget-rows.ts";
import { type Account, type Budgets, type ByPeriod, completeSums, loadSums, type Sums } from "./budgets.ts";
import { groupOfWorkspace } from "./directory.ts";
import { addMoves, addUnits, type ByUnit, NOTHING, placeOf, writeMoves } from "./held-sums.ts";
import type { OutboxDebit } from "./outbox.ts";
import type { Sql } from "./sql.ts";

/** A level of a budget that a change has reached for the first time in its period. */
type BudgetCrossing = { state: BudgetState; level: BudgetLevel };

export class BudgetChange {
  /** The sums that this change has loaded or moved, except what it has moved of holds. */
  readonly #sums = new Map<Account, Sums>();
  readonly #held = new Map<Account, ByUnit>();
  readonly #charged = new Set<Account>();
  /** The runs whose expired holds this change has ended, as they were, with their ids. */
  readonly #ended: { run: Run; scopes: BudgetScope[] }[] = [];
  /** What the first of `#ended` held, by id. */
  readonly #endedSums = new Map<string, ByUnit>();
  #endedSummed = 0;
  /** The directory's groups of workspaces, as far as they were needed. */
  readonly #groups = new Map<string, string | null>();
  #starts: { cycle: Cycle; startsAtMs: ByPeriod<AtMs> } | null = null;

  constructor(
    readonly budgets: Budgets,
    readonly sql: Sql,
    readonly nowMs: AtMs,
    readonly books: () => Books,
  ) {}

  /** Counts a debit. Its outbox item must not be stored yet. */
  charge(debit: OutboxDebit): void {
    const accounts = this.#accountsOf(scopesOf(debit));
    this.#load(accounts.filter(({ limited }) => limited));
    for (const account of accounts) {
      const known = this.#sumsOf(account);
      if (known === null) continue;
      const { cycle, day } = known.micros[debit.unit];
      const micros = { cycle: cycle + debit.cycleMicros, day: day + dayMicrosOf(debit) };
      this.#sums.set(account, { ...known, micros: { ...known.micros, [debit.unit]: micros } });
      this.#charged.add(account);
    }
  }

  /** Counts a change of a run's hold or group. `before` is null for a new run. */
  moveHold(before: Run | null, after: Run): void {
    if (before?.hold === after.hold && before?.group === after.group) return;
    if (before !== null) this.#addHold(before, -1);
    this.#addHold(after, 1);
  }

  /** Notes that the change has ended an expired hold, which no longer counted. */
  endedHold(run: Run): void {
    this.#ended.push({ run, scopes: this.#scopesOf(run) });
  }

  /** Returns what this change has moved of holds, for its outbox row. Without such a row, it stores that itself. */
  takeMoves(hasRow: boolean): string {
    const moves = writeMoves(this.#held);
    if (!hasRow) addMoves(this.sql, [moves]);
    return moves;
  }

  /** The budgets of a run as they stand now: by workspace, group and user, and by day and cycle. */
  statesOfRun(run: Run): BudgetState[] {
    const accounts = this.#accountsOf(this.#scopesOf(run)).filter(({ limited }) => limited);
    return this.#statesOf(accounts).filter(({ limitMicros }) => limitMicros !== null);
  }

  /** The budgets that apply to these ids as they stand now. */
  statesOf(scopes: readonly BudgetScope[]): BudgetState[] {
    return this.#statesOf(this.#accountsOf(scopes).filter(({ budgets }) => budgets.length > 0));
  }

  /** Checks the levels of an id whose budget has changed, as if it was charged. */
  watch({ dimension, id }: BudgetScope): void {
    const account = this.budgets.account(dimension, id);
    if (id === EVERY_ID || !account.limited) return;
    this.#load([account]);
    this.#charged.add(account);
  }

  /** Raises the announced levels of the ids that were charged. Returns the levels that are new. */
  announce(): BudgetCrossing[] {
    const crossings: BudgetCrossing[] = [];
    const rows: Announced[] = [];
    const unit = unitOf(this.books().settings.billingModel);
    for (const account of this.#charged) {
      for (const budget of account.budgets) {
        const { period, limitMicros } = budget;
        const sums = this.#sumsOf(account);
        if (sums === null || budget.unit !== unit) continue;
        const level = levelReached(limitMicros, Math.max(0, sums.micros[unit][period]));
        if (level === null || level <= sums.level[period]) continue;
        crossings.push({ state: this.#stateOf(account, budget), level });
        this.#sums.set(account, { ...sums, level: { ...sums.level, [period]: level } });
        const { dimension, id } = account;
        rows.push({ dimension, id, period, level, periodStartsAtMs: sums.startsAtMs[period] });
      }
    }
    if (rows.length > 0) putAnnounced(this.sql, rows);
    return crossings;
  }

  /** Adds what this change has moved to the sums in memory. Call this only after the transaction has committed. */
  keep(): void {
    for (const { run, scopes } of this.#ended) this.budgets.expired.ended(run, scopes);
    this.budgets.expired.committed(this.nowMs);
    for (const [account, sums] of this.#sums) account.sums = sums;
    for (const [account, delta] of this.#held) {
      if (account.sums !== null) account.sums = { ...account.sums, held: addUnits(account.sums.held, delta) };
    }
    this.budgets.trim();
  }

  #accountsOf(scopes: readonly BudgetScope[]): Account[] {
    return scopes.map(({ dimension, id }) => this.budgets.account(dimension, id));
  }

  #statesOf(accounts: readonly Account[]): BudgetState[] {
    this.#load(accounts);
    return accounts.flatMap((account) => account.budgets.map((budget) => this.#stateOf(account, budget)));
  }

  #stateOf(account: Account, budget: Budget): BudgetState {
    const sums = this.#sumsOf(account);
    const micros = sums?.micros[budget.unit] ?? { day: 0, cycle: 0 };
    // A refund of a charge that an earlier release made today may make the sum negative.
    const used = { day: Math.max(0, micros.day), cycle: Math.max(0, micros.cycle) };
    const heldMicros = account.id === EVERY_ID ? 0 : this.#heldBy(account, sums, budget.unit);
    return budgetState(budget, account.id, { used, heldMicros }, this.books(), this.nowMs);
  }

  /** The sums of an id in the current periods; null if they are not loaded. */
  #sumsOf(account: Account): Sums | null {
    const known = this.#sums.get(account) ?? account.sums;
    if (known === null) return null;
    const startsAtMs = this.#periodStarts();
    if (known.startsAtMs.day === startsAtMs.day && known.startsAtMs.cycle === startsAtMs.cycle) return known;
    // A period without a charge so far.
    const fresh = (period: BudgetPeriod, value: number) =>
      known.startsAtMs[period] === startsAtMs[period] ? value : 0;
    const both = (values: ByPeriod<number>) => ({ day: fresh("day", values.day), cycle: fresh("cycle", values.cycle) });
    const micros = { credits: both(known.micros.credits), usd: both(known.micros.usd) };
    return { ...known, startsAtMs, micros, level: both(known.level) };
  }

  /** Loads the sums of ids that are not in memory. What the outbox has of them is folded first. */
  #load(accounts: readonly Account[]): void {
    const missing = accounts.filter(
      (account) => account.sums === null && account.id !== EVERY_ID && !this.#sums.has(account),
    );
    if (missing.length === 0) return;
    completeSums(this.sql);
    const loaded = loadSums(this.sql, missing, this.#periodStarts());
    for (const account of missing) this.#sums.set(account, loaded.get(placeOf(account)) as Sums);
  }

  #heldBy(account: Account, sums: Sums | null, unit: Unit): Micros {
    const held = (sums?.held[unit] ?? 0) + (this.#held.get(account)?.[unit] ?? 0);
    if (this.books().overdue[unit] === 0) return held;
    const stored = this.budgets.expired.of(account, this.nowMs)[unit];
    return held - stored + (this.#endedBy(account)[unit] ?? 0);
  }

  #endedBy(account: Account): ByUnit {
    for (const { run, scopes } of this.#ended.slice(this.#endedSummed)) {
      const { unit, micros } = run.hold ?? { unit: UNITS[0], micros: 0 };
      for (const scope of scopes) {
        const place = placeOf(scope);
        this.#endedSums.set(place, addUnits(this.#endedSums.get(place), { ...NOTHING, [unit]: micros }));
      }
    }
    this.#endedSummed = this.#ended.length;
    return this.#endedSums.get(placeOf(account)) ?? NOTHING;
  }

  #addHold(run: Run, sign: 1 | -1): void {
    if (run.hold === null || run.hold.micros === 0) return;
    const { unit, micros } = run.hold;
    for (const account of this.#accountsOf(this.#scopesOf(run))) {
      this.#held.set(account, addUnits(this.#held.get(account), { ...NOTHING, [unit]: sign * micros }));
    }
  }

  /** The ids of a run. Until the first report fixes its group, it is the start's, else the directory's. */
  #scopesOf({ workspace, group, user }: Run): BudgetScope[] {
    return scopesOf({ workspace, user, group: group ?? this.#groupOf(workspace) });
  }

  #groupOf(workspace: string): string | null {
    const known = this.#groups.get(workspace);
    if (known !== undefined) return known;
    const group = groupOfWorkspace(this.sql, workspace);
    this.#groups.set(workspace, group);
    return group;
  }

  #periodStarts(): ByPeriod<AtMs> {
    const { cycle } = this.books();
    if (this.#starts?.cycle.startsAtMs !== cycle.startsAtMs) {
      this.#starts = { cycle, startsAtMs: { day: dayOf(cycle, this.nowMs), cycle: cycle.startsAtMs } };
    }
    return this.#starts.startsAtMs;
  }
}
