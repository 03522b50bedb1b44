/**
 * The calls to one enterprise's Durable Object that concern budgets. The core checks the caller of each call. A member
 * sees only their own budgets: for everybody else's, the answer is the same as if there were none.
 */
import { byOf, type Caller } from "../access/callers.ts";
import { type Denied, deny } from "../access/refusals.ts";
import { type BudgetKey, type BudgetScope, type BudgetState, type BudgetTerms, EVERY_ID } from "../ledger/budget.ts";
import { dayOf } from "../ledger/calendar.ts";
import type { Dimension } from "../ledger/dimensions.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { type BudgetJson, showBudget } from "../wire/budget.ts";
import type { GaugeJson } from "../wire/gauge.ts";
import { isStorageFull } from "../wire/transient.ts";
import { budgetStates, removeBudget, setBudget } from "./books/budget-commands.ts";
import { loadReached } from "./books/budget-rows.ts";
import { nameOf } from "./books/directory.ts";
import type { Keyring } from "./books/keyring.ts";
import type { Ledger } from "./books/ledger.ts";

type BudgetDeps = {
  ledger: Ledger;
  keyring: Keyring;
  /** Runs the call, unless its caller is refused in this turn. */
  answer<T>(caller: Caller, act: () => T): T | Refused | Denied;
};

/** Which budgets to list: those of one dimension, or all, after a budget. */
export type BudgetPage = { dimension: Dimension | null; after: BudgetKey | null; limit: number };

const MAX_REACHED = 100;
const MAX_SCOPES = 100;

export class BudgetCalls {
  constructor(readonly deps: BudgetDeps) {}

  put(caller: Caller, key: BudgetKey, terms: BudgetTerms): { created: boolean; budget: BudgetJson } | Refused | Denied {
    return this.deps.answer(caller, () => {
      const { ledger, keyring } = this.deps;
      if (keyring.lacksAdmin(caller)) return deny({ code: "scope_denied" });
      const set = setBudget(ledger, key, terms, byOf(caller));
      if (isRefusal(set)) return set;
      const state = budgetStates(ledger, [key]).find(({ period }) => period === key.period);
      return { created: set.created, budget: this.#show(state as BudgetState) };
    });
  }

  remove(caller: Caller, key: BudgetKey): { removed: true } | Refused | Denied {
    return this.deps.answer(caller, () => {
      const { ledger, keyring } = this.deps;
      if (keyring.lacksAdmin(caller)) return deny({ code: "scope_denied" });
      return removeBudget(ledger, key, byOf(caller));
    });
  }

  /** Lists budgets by dimension, id and period, the default first. Returns `limit` + 1 if there are more than `limit`. */
  list(caller: Caller, { dimension, after, limit }: BudgetPage): BudgetJson[] | Refused | Denied {
    return this.deps.answer(caller, () => {
      const { ledger } = this.deps;
      const owner = this.#ownOnly(caller);
      const all = ledger.budgets
        .list()
        .filter((budget) => dimension === null || budget.dimension === dimension)
        .filter((budget) => owner === null || (budget.dimension === "user" && budget.id === owner));
      // The budget of the cursor may have been removed. Its place in the order stays.
      const from = after === null ? 0 : all.findIndex((budget) => ledger.budgets.compare(budget, after) > 0);
      const page = from === -1 ? [] : all.slice(from, from + limit + 1);
      const states = Map.groupBy(budgetStates(ledger, distinct(page)), ({ dimension, id }) => `${dimension} ${id}`);
      return page.flatMap((budget) => {
        const state = states.get(`${budget.dimension} ${budget.id}`)?.find(({ period }) => period === budget.period);
        return state === undefined ? [] : [this.#show(state)];
      });
    });
  }

  /** The budgets of one dimension under which no new run starts: used up, or of nothing. At most 100 ids of each. */
  reached(caller: Caller, dimension: Dimension): BudgetJson[] | Refused | Denied {
    return this.deps.answer(caller, () => {
      const { ledger } = this.deps;
      if (ledger.budgets.none || this.#ownOnly(caller) !== null) return [];
      const { cycle } = ledger.books;
      const startsAtMs = { cycle: cycle.startsAtMs, day: dayOf(cycle, ledger.nowMs()) };
      const closed = ledger.budgets.list().filter((budget) => {
        return budget.dimension === dimension && budget.limitMicros === 0 && budget.action === "block";
      });
      const ids = [
        ...loadReached(ledger.sql, dimension, startsAtMs, MAX_REACHED),
        ...closed.slice(0, MAX_REACHED).map(({ id }) => id),
      ];
      return budgetStates(
        ledger,
        [...new Set(ids)].map((id) => ({ dimension, id })),
      )
        .filter(({ active, action, limitMicros, usedMicros, heldMicros, inherited }) => {
          // A default of nothing is listed once, as the default.
          if (limitMicros === null || (limitMicros === 0 && inherited)) return false;
          return active && action === "block" && usedMicros + heldMicros >= limitMicros;
        })
        .map((state) => this.#show(state));
    });
  }

  /** What applies to one id, by period, the default included. */
  of(caller: Caller, scope: BudgetScope): BudgetJson[] | Refused | Denied {
    return this.deps.answer(caller, () => {
      const owner = this.#ownOnly(caller);
      if (owner !== null && (scope.dimension !== "user" || scope.id !== owner)) return refuse({ code: "not_found" });
      return budgetStates(this.deps.ledger, [scope]).map((state) => this.#show(state));
    });
  }

  /** What applies to each of these ids, of which at most 100 count. A member gets only their own. */
  ofEach(caller: Caller, scopes: readonly BudgetScope[]): BudgetJson[] | Refused | Denied {
    return this.deps.answer(caller, () => {
      const owner = this.#ownOnly(caller);
      const visible = scopes.filter(({ dimension, id }) => owner === null || (dimension === "user" && id === owner));
      return budgetStates(this.deps.ledger, distinct(visible.slice(0, MAX_SCOPES))).map((state) => this.#show(state));
    });
  }

  /** Whether any budget is set, so that a page asks for them only then. */
  get any(): boolean {
    return !this.deps.ledger.budgets.none;
  }

  /** Returns the gauge as this caller sees it. A person also sees what counts for them. */
  gaugeFor(caller: Caller, gauge: GaugeJson): GaugeJson {
    const budgets = this.#ofReader(caller);
    return budgets === undefined ? gauge : { ...gauge, my_budgets: budgets };
  }

  /** Returns the gauge as JSON for any number of callers. Callers without budgets share one text. */
  gaugeForEach(gauge: GaugeJson): (caller: Caller) => string {
    const texts = new Map<string, string>();
    return (caller) => {
      const person = caller.kind === "user" || caller.kind === "embed";
      const place = !person ? "" : this.deps.ledger.budgets.none ? "no budgets" : `user:${caller.user}`;
      const text = texts.get(place) ?? JSON.stringify(this.gaugeFor(caller, gauge));
      texts.set(place, text);
      return text;
    };
  }

  /**
   * The budgets of the person who reads a gauge; undefined for a key or the operator. Also undefined while nothing can
   * be stored, because then the sums may not be complete.
   */
  #ofReader(caller: Caller): BudgetJson[] | undefined {
    if (caller.kind !== "user" && caller.kind !== "embed") return undefined;
    const { ledger } = this.deps;
    if (ledger.budgets.none) return [];
    try {
      const states = budgetStates(ledger, [{ dimension: "user", id: caller.user }]);
      return states.map((state) => this.#show(state));
    } catch (error) {
      if (isStorageFull(error)) return undefined;
      throw error;
    }
  }

  /** The only user whose budgets the caller may see; null if the caller may see all. */
  #ownOnly(caller: Caller): string | null {
    return (caller.kind === "user" || caller.kind === "embed") && this.deps.keyring.lacksAdmin(caller)
      ? caller.user
      : null;
  }

  #show(state: BudgetState): BudgetJson {
    const { dimension, id } = state;
    return showBudget(state, id === EVERY_ID ? EVERY_ID : nameOf(this.deps.ledger.sql, dimension, id));
  }
}

function distinct(scopes: readonly BudgetScope[]): BudgetScope[] {
  return [...new Map(scopes.map(({ dimension, id }) => [`${dimension} ${id}`, { dimension, id }])).values()];
}
