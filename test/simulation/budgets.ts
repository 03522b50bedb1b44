/**
 * The admins' budgets in a simulated world: set, changed and removed at any time, for any id and as defaults. Their own
 * dice draw them, so a world without budgets stays the same. Half of the worlds have some.
 */
import { isRefusal } from "../../src/ledger/refusals.ts";
import { Dice } from "./dice.ts";
import { OPERATOR } from "./keys.ts";
import { BUDGET_DIMENSIONS, type BudgetDimension } from "./reference-budgets.ts";
import { DAY_MS, runsPerCycle, TYPICAL_RUN_MICROS } from "./scenario.ts";
import type { World } from "./world.ts";

/** The ids that the agents use. */
const IDS: Record<BudgetDimension, readonly string[]> = {
  workspace: ["w1", "w2", "w3", "w4", "w5", "w6"],
  group: ["g1", "g2", "g3", "none"],
  user: Array.from({ length: 8 }, (_, i) => `u${i + 1}@example.com`),
};
const CHECKED = 0.3;

export class SimulatedBudgets {
  readonly #dice: Dice;
  readonly #some: boolean;

  constructor(
    readonly world: World,
    seed: number,
  ) {
    this.#dice = new Dice(seed + 0xb0d);
    this.#some = this.#dice.chance(0.5);
  }

  begin(): void {
    const { world } = this;
    if (!this.#some) return;
    this.#set();
    const { days, runs } = world.scenario;
    for (let i = 0; i < runs * 0.4; i++) {
      world.at(world.nowMs + this.#dice.whole(0, days * DAY_MS), () =>
        this.#dice.chance(0.85) ? this.#set() : this.#remove(),
      );
    }
  }

  /** Compares how the budgets of all ids stand, sometimes: a read also loads what is then kept in memory. */
  check(nowMs: number): void {
    const { world } = this;
    if (!this.#some || !this.#dice.chance(CHECKED)) return;
    for (const dimension of BUDGET_DIMENSIONS) {
      const id = this.#dice.pick(IDS[dimension]);
      const found = world.object.core.budgets.of(OPERATOR, { dimension, id });
      if (isRefusal(found) || "denial" in found) world.fail("budgets are refused");
      const shown = (
        found as { period: string; limit_micros: number | null; used_micros: number; held_micros: number }[]
      ).map(({ period, limit_micros, used_micros, held_micros }) => [period, limit_micros, used_micros, held_micros]);
      const expected = world.reference.budgets.of(dimension, id, nowMs);
      const standing = expected.map(({ period, limit, used, held }) => [period, limit, used, held]);
      world.same(`budgets of ${dimension} ${id}`, shown, standing);
    }
  }

  /** Each level of a budget is announced once in its period, whatever was killed or retried. */
  checkAnnounced(): void {
    const { world } = this;
    const seen = new Set<string>();
    for (const { body } of world.platform.sql.all(
      "SELECT body FROM webhooks WHERE channel = '' AND body LIKE '%budget.crossed%'",
    )) {
      const { data } = JSON.parse(body as string) as { data: { code: string; budget: Record<string, unknown> } };
      const { dimension, id, period, resets_at, unit } = data.budget;
      const key = JSON.stringify([data.code, dimension, id, period, resets_at, unit]);
      if (seen.has(key)) world.fail(`announced twice: ${key}`);
      seen.add(key);
      world.count("budget_announced");
    }
  }

  #set(): void {
    const { world } = this;
    const dice = this.#dice;
    const { dimension, id, period } = this.#drawKey();
    const { reference, scenario } = world;
    const cycleMicros = TYPICAL_RUN_MICROS[reference.unit] * runsPerCycle(scenario);
    const share = { day: 0.1, cycle: 1 }[period] * dice.spread(2, 200) * 0.01;
    const drawn = Math.round(cycleMicros * share);
    const limitMicros = dice.pick([drawn, drawn, drawn, drawn, drawn, 0, id === "*" ? drawn : null]);
    const action = dice.pick(["block", "block", "warn"] as const);
    world.call(
      `budget ${dimension} ${id} ${period} ${limitMicros} ${action}`,
      ({ core }) => core.budgets.put(OPERATOR, { dimension, id, period }, { limitMicros, action }),
      (_, answer) => {
        world.count("budget_set");
        const changes = reference.budgets.set(dimension, id, period, limitMicros, action);
        if (changes) reference.money.note("budget_changed", 0);
        if (answer !== null && isRefusal(answer)) world.fail(`a budget is refused: ${answer.refusal.code}`);
      },
    );
  }

  #remove(): void {
    const { world } = this;
    const { dimension, id, period } = this.#drawKey();
    world.call(
      `remove budget ${dimension} ${id} ${period}`,
      ({ core }) => core.budgets.remove(OPERATOR, { dimension, id, period }),
      (_, answer) => {
        const existed = world.reference.budgets.remove(dimension, id, period);
        if (existed) world.reference.money.note("budget_changed", 0);
        if (existed) world.count("budget_removed");
        if (answer !== null) world.same("a removed budget", !isRefusal(answer), existed);
      },
    );
  }

  #drawKey(): { dimension: BudgetDimension; id: string; period: "day" | "cycle" } {
    const dimension = this.#dice.pick(BUDGET_DIMENSIONS);
    const id = this.#dice.chance(0.3) ? "*" : this.#dice.pick(IDS[dimension]);
    return { dimension, id, period: this.#dice.pick(["day", "cycle"] as const) };
  }
}
