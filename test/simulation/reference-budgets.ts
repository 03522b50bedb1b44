/**
 * The budgets of the reference model, written from rule R14 alone. Every charge is booked under each of its ids, for the
 * local day and for the cycle. What runs hold is summed from all runs each time.
 */
import { localDayStart } from "./local-time.ts";
import type { ReferenceRun, ReferenceUnit } from "./reference-meter.ts";
import type { ReferenceCycle } from "./reference-money.ts";

export const BUDGET_DIMENSIONS = ["workspace", "group", "user"] as const;
export type BudgetDimension = (typeof BUDGET_DIMENSIONS)[number];
const PERIODS = ["day", "cycle"] as const;
type Period = (typeof PERIODS)[number];

type ReferenceBudget = { limit: number | null; action: "block" | "warn"; unit: ReferenceUnit };
type BudgetStanding = ReferenceBudget & { period: Period; used: number; held: number };

/** What budgets need to know of the rest of the reference. */
type Around = {
  readonly unit: ReferenceUnit;
  readonly runs: ReadonlyMap<string, ReferenceRun>;
  readonly groups: ReadonlyMap<string, string | null>;
  readonly money: { readonly cycle: ReferenceCycle };
};

export class ReferenceBudgets {
  /** By dimension, id and period. */
  readonly limits = new Map<string, ReferenceBudget>();
  /** By unit, period, its start, dimension and id. */
  readonly charges = new Map<string, number>();

  constructor(readonly around: Around) {}

  /** Sets a budget. Returns whether that changes anything. */
  set(dimension: BudgetDimension, id: string, period: Period, limit: number | null, action: "block" | "warn"): boolean {
    const place = `${dimension} ${id} ${period}`;
    const budget = { limit, action, unit: this.around.unit };
    const changes = JSON.stringify(this.limits.get(place)) !== JSON.stringify(budget);
    this.limits.set(place, budget);
    return changes;
  }

  /** Removes a budget. Returns whether there was one. */
  remove(dimension: BudgetDimension, id: string, period: Period): boolean {
    return this.limits.delete(`${dimension} ${id} ${period}`);
  }

  /** Books a charge or a refund: the parts that count in this cycle and today. */
  charge(run: ReferenceRun, unit: ReferenceUnit, ofCycle: number, ofDay: number, nowMs: number): void {
    const parts = { cycle: ofCycle, day: ofDay };
    for (const [dimension, id] of Object.entries(this.#idsOf(run))) {
      for (const period of PERIODS) {
        const key = `${unit} ${period} ${this.startOf(period, nowMs)} ${dimension} ${id}`;
        this.charges.set(key, (this.charges.get(key) ?? 0) + parts[period]);
      }
    }
  }

  /** How what applies to an id stands. */
  of(dimension: BudgetDimension, id: string, nowMs: number): BudgetStanding[] {
    return PERIODS.flatMap((period) => {
      const budget = this.limits.get(`${dimension} ${id} ${period}`) ?? this.limits.get(`${dimension} * ${period}`);
      if (budget === undefined) return [];
      const key = `${budget.unit} ${period} ${this.startOf(period, nowMs)} ${dimension} ${id}`;
      const used = Math.max(0, this.charges.get(key) ?? 0);
      return [{ ...budget, period, used, held: this.#held(dimension, id, budget.unit) }];
    });
  }

  /** Whether a start, or a larger hold, does not fit. */
  lacks(run: ReferenceRun, more: number, nowMs: number): boolean {
    return this.#blocking(run, nowMs).some(({ free }) => free <= 0 || more > free);
  }

  /** What the budgets of a run in progress ask of it. */
  action(run: ReferenceRun, nowMs: number): "stop" | "wind_down" | null {
    const blocking = this.#blocking(run, nowMs);
    if (blocking.some(({ free }) => free <= 0)) return "stop";
    const late = blocking.some(({ used, limit }) => BigInt(used) * 100n >= BigInt(limit) * 95n);
    return late ? "wind_down" : null;
  }

  /** The start of the local day, or of the cycle. */
  startOf(period: Period, nowMs: number): number {
    const { startsMs, zone } = this.around.money.cycle;
    return period === "cycle" ? startsMs : Math.max(startsMs, localDayStart(nowMs, zone));
  }

  #blocking(run: ReferenceRun, nowMs: number): { free: number; used: number; limit: number }[] {
    const ids = this.#idsOf(run);
    return BUDGET_DIMENSIONS.flatMap((dimension) => this.of(dimension, ids[dimension], nowMs)).flatMap(
      ({ limit, action, unit, used, held }) =>
        limit === null || action === "warn" || unit !== this.around.unit
          ? []
          : [{ free: limit - used - held, used, limit }],
    );
  }

  #held(dimension: BudgetDimension, id: string, unit: ReferenceUnit): number {
    let sum = 0;
    for (const run of this.around.runs.values()) {
      if (run.hold?.unit === unit && this.#idsOf(run)[dimension] === id) sum += run.hold.left;
    }
    return sum;
  }

  #idsOf({ workspace, group, user }: ReferenceRun): Record<BudgetDimension, string> {
    return { workspace, group: group ?? this.around.groups.get(workspace) ?? "none", user };
  }
}
