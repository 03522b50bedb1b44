// Budgets in the real ledger, against a small reference that remembers every charge and every hold. This file is long
// because the reference and the steps that compare it belong together.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { budgetStates, removeBudget, setBudget } from "../../../src/enterprise/books/budget-commands.ts";
import { checkBudgets } from "../../../src/enterprise/books/budget-faults.ts";
import { loadReached } from "../../../src/enterprise/books/budget-rows.ts";
import type { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { loadOutbox } from "../../../src/enterprise/books/outbox.ts";
import { getProgress } from "../../../src/enterprise/books/progress.ts";
import type { Sql } from "../../../src/enterprise/books/sql.ts";
import { foldOutbox } from "../../../src/enterprise/copy/totals.ts";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import { BUDGET_PERIODS, type BudgetKey } from "../../../src/ledger/budget.ts";
import { dayOf } from "../../../src/ledger/calendar.ts";
import { isRefusal } from "../../../src/ledger/refusals.ts";
import {
  at,
  codeOf,
  DAY_MS,
  debit,
  granted,
  HOUR_MS,
  MINUTE_MS,
  openByClock,
  report,
  start,
} from "../../support/books.ts";
import { cases } from "../../support/cases.ts";

const WORKSPACES = ["w1", "w2"];
const GROUPS = ["g1", "g2", "none"];
const USERS = ["u1", "u2"];
const RUNS = ["r1", "r2", "r3", "r4", "r5", "r6"];
const IDS = { workspace: WORKSPACES, group: GROUPS, user: USERS };
type Dimension = keyof typeof IDS;

type Charge = { day: string; cycle: number; micros: number };
type RefRun = {
  workspace: string;
  user: string;
  /** The start's group; after the first report the group that counts. */
  group: string | null;
  reported: boolean;
  final: boolean;
  total: number;
  charges: Charge[];
  hold: { micros: number; ttlMs: number; endsAtMs: number } | null;
};

/** Everything in the open: sums are computed from all charges and all holds each time. */
class Reference {
  readonly runs = new Map<string, RefRun>();
  readonly budgets = new Map<string, { limitMicros: number | null; action: string }>();
  readonly directory = new Map<string, string>();

  constructor(readonly now: () => { nowMs: number; day: string; cycle: number }) {}

  scopes(run: RefRun): Record<Dimension, string> {
    const group = run.group ?? this.directory.get(run.workspace) ?? "none";
    return { workspace: run.workspace, group, user: run.user };
  }

  held(dimension: Dimension, id: string): number {
    let sum = 0;
    for (const run of this.runs.values()) {
      if (run.hold !== null && run.hold.endsAtMs > this.now().nowMs && this.scopes(run)[dimension] === id) {
        sum += run.hold.micros;
      }
    }
    return sum;
  }

  used(dimension: Dimension, id: string, period: string): number {
    const { day, cycle } = this.now();
    let sum = 0;
    for (const run of this.runs.values()) {
      if (this.scopes(run)[dimension] !== id) continue;
      for (const charge of run.charges) {
        if (charge.cycle === cycle && (period === "cycle" || charge.day === day)) sum += charge.micros;
      }
    }
    return sum;
  }

  budgetOf(dimension: Dimension, id: string, period: string) {
    return this.budgets.get(`${dimension} ${id} ${period}`) ?? this.budgets.get(`${dimension} * ${period}`);
  }

  /** What is available under each blocking budget of a run. */
  available(run: RefRun): number[] {
    return Object.entries(this.scopes(run)).flatMap(([dimension, id]) =>
      BUDGET_PERIODS.flatMap((period) => {
        const budget = this.budgetOf(dimension as Dimension, id, period);
        if (budget === undefined || budget.limitMicros === null || budget.action === "warn") return [];
        const taken = this.used(dimension as Dimension, id, period) + this.held(dimension as Dimension, id);
        return [budget.limitMicros - taken];
      }),
    );
  }

  start(name: string, asked: { workspace: string; user: string; group: string | null; holdMicros: number }): string {
    const { nowMs } = this.now();
    const known = this.runs.get(name);
    if (known !== undefined && (known.workspace !== asked.workspace || known.user !== asked.user)) {
      return "run_attribution_conflict";
    }
    if (known?.final === true) return "run_closed";
    const fresh = { reported: false, final: false, total: 0, charges: [], hold: null };
    const run = known ?? { ...asked, ...fresh };
    const left = run.hold !== null && run.hold.endsAtMs > nowMs ? run.hold.micros : 0;
    if (known !== undefined && asked.holdMicros <= left) return "none";
    const needed = asked.holdMicros - left;
    if (this.available(run).some((available) => available <= 0 || needed > available)) return "budget_exhausted";
    this.runs.set(name, run);
    if (asked.holdMicros > 0) {
      run.hold = { micros: asked.holdMicros, ttlMs: 15 * MINUTE_MS, endsAtMs: nowMs + 15 * MINUTE_MS };
    }
    return "none";
  }

  /** Reports a total of a run. Returns whether the run must stop for a budget; null if the report is refused. */
  report(
    name: string,
    asked: { workspace: string; user: string; group: string | null; total: number; final: boolean },
  ) {
    const { nowMs, day, cycle } = this.now();
    const known = this.runs.get(name);
    if (known !== undefined && (known.workspace !== asked.workspace || known.user !== asked.user)) return null;
    const fresh = { group: null, reported: false, final: false, total: 0, charges: [], hold: null };
    const run: RefRun = known ?? { workspace: asked.workspace, user: asked.user, ...fresh };
    this.runs.set(name, run);
    if (!run.reported) run.group = asked.group ?? this.scopes(run).group;
    run.reported = true;
    const active = run.hold !== null && run.hold.endsAtMs > nowMs ? run.hold : null;
    const total = run.final
      ? asked.final
        ? Math.max(run.total, asked.total)
        : run.total
      : asked.final
        ? asked.total
        : Math.max(run.total, asked.total);
    run.final ||= asked.final;
    const delta = total - run.total;
    run.total = total;
    if (delta > 0) run.charges.push({ day, cycle, micros: delta });
    for (let left = -delta; left > 0; ) {
      const last = run.charges.at(-1) as Charge;
      const part = Math.min(left, last.micros);
      last.micros -= part;
      left -= part;
      if (last.micros === 0) run.charges.pop();
    }
    run.hold = active;
    if (active !== null) {
      active.micros -= Math.min(active.micros, Math.max(0, delta));
      active.endsAtMs = nowMs + active.ttlMs;
    }
    if (run.final) run.hold = null;
    return (run.hold?.micros ?? 0) === 0 && this.available(run).some((available) => available <= 0);
  }
}

const pick = (list: readonly string[]) => fc.constantFrom(...list);
const who = { run: pick(RUNS), workspace: pick(WORKSPACES), user: pick(USERS) };
const group = fc.option(pick(["g1", "g2"]));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("start" as const), ...who, group, hold: fc.nat(60) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("report" as const),
      ...who,
      group,
      total: fc.nat(120),
      final: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("budget" as const),
      dimension: pick(["workspace", "group", "user"]) as fc.Arbitrary<Dimension>,
      place: fc.nat(3),
      period: pick(["day", "cycle"]) as fc.Arbitrary<"day" | "cycle">,
      limit: fc.option(fc.nat(150), { freq: 6 }),
      action: fc.constantFrom("block" as const, "block" as const, "warn" as const),
      remove: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("wait" as const), ms: pickWait() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("release" as const), run: pick(RUNS) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("move" as const), workspace: pick(WORKSPACES), group }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("forget" as const), fold: fc.boolean() }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function pickWait() {
  return fc.oneof(fc.nat(20 * MINUTE_MS), fc.nat(26 * HOUR_MS), fc.constantFrom(DAY_MS, 15 * MINUTE_MS));
}

function play(fromMs: number, timeZone: string, steps: readonly Step[]): void {
  const clock = { nowMs: fromMs };
  const ledger = openByClock(clock, { timeZone, anchorDay: 10, allowanceOverrideMicros: 1_000_000 });
  const day = new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" });
  const reference = new Reference(() => ({
    nowMs: clock.nowMs,
    day: day.format(clock.nowMs),
    cycle: ledger.books.cycle.startsAtMs,
  }));
  for (const each of steps) {
    ledger.settle();
    playOne(ledger, clock, reference, each);
    ledger.settle();
    compare(ledger, reference);
  }
}

function playOne(ledger: Ledger, clock: { nowMs: number }, reference: Reference, each: Step): void {
  switch (each.type) {
    case "start": {
      const { run, workspace, user, group: asked, hold } = each;
      const request = start({
        run,
        workspace,
        user,
        holdMicros: hold === 0 ? null : hold,
        ...(asked === null ? {} : { group: asked }),
      });
      const answer = codeOf(ledger.start(request));
      expect(answer).toBe(reference.start(run, { workspace, user, group: asked, holdMicros: hold }));
      return;
    }
    case "report": {
      const { run, workspace, user, group: asked, total, final } = each;
      const sent = report(total, {
        run,
        workspace,
        user,
        final,
        startedAtMs: clock.nowMs,
        ...(asked === null ? {} : { group: asked }),
      });
      const [answer] = ledger.debit([sent]);
      const stops = reference.report(run, { workspace, user, group: asked, total, final });
      if (answer === undefined || isRefusal(answer)) expect(stops).toBeNull();
      else expect(answer.reason === "budget_exhausted").toBe(stops);
      return;
    }
    case "budget": {
      const { dimension, place, period, limit, action, remove } = each;
      const id = ["*", ...IDS[dimension]][place] ?? "*";
      const key: BudgetKey = { dimension, id, period };
      const name = `${dimension} ${id} ${period}`;
      if (remove) {
        expect(codeOf(removeBudget(ledger, key, "operator")) === "none").toBe(reference.budgets.delete(name));
      } else if (id !== "*" || limit !== null) {
        granted(setBudget(ledger, key, { limitMicros: limit, action }, "operator"));
        reference.budgets.set(name, { limitMicros: limit, action });
      }
      return;
    }
    case "wait":
      clock.nowMs += each.ms;
      return;
    case "release": {
      ledger.releaseHold(each.run);
      const run = reference.runs.get(each.run);
      if (run !== undefined) run.hold = null;
      return;
    }
    case "move": {
      const { workspace, group: to } = each;
      ledger.putDirectory({ workspaces: [{ id: workspace, name: workspace, groupId: to }], groups: [], users: [] });
      if (to === null) reference.directory.delete(workspace);
      else reference.directory.set(workspace, to);
      return;
    }
    case "forget":
      if (each.fold) ledger.sql.transaction(() => foldOutbox(ledger.sql));
      ledger.budgets.clear();
  }
}

/** Compares the budgets of every id with the reference. */
function compare(ledger: Ledger, reference: Reference): void {
  const scopes = Object.entries(IDS).flatMap(([dimension, ids]) =>
    ids.map((id) => ({ dimension: dimension as Dimension, id })),
  );
  const states = budgetStates(ledger, scopes).map(({ dimension, id, period, usedMicros, heldMicros }) => ({
    of: `${dimension} ${id} ${period}`,
    usedMicros,
    heldMicros,
  }));
  const expected = scopes.flatMap(({ dimension, id }) =>
    BUDGET_PERIODS.filter((period) => reference.budgetOf(dimension, id, period) !== undefined).map((period) => ({
      of: `${dimension} ${id} ${period}`,
      usedMicros: reference.used(dimension, id, period),
      heldMicros: reference.held(dimension, id),
    })),
  );
  expect(states).toEqual(expected);
  const waiting = loadOutbox(ledger.sql, getProgress(ledger.sql, "folded"), 1_000);
  expect(checkBudgets(ledger, waiting).faults).toEqual([]);
}

describe("budgets against a reference", () => {
  for (const [name, fromMs, timeZone] of [
    ["a day of 23 hours", at("2026-03-07T15:00:00Z"), "America/New_York"],
    ["a day of 25 hours", at("2026-10-31T15:00:00Z"), "America/New_York"],
    ["a zone of half hours", at("2026-06-08T15:00:00Z"), "Asia/Kolkata"],
  ] as const) {
    it(`admits exactly the starts that fit, over ${name} and a turn`, () => {
      fc.assert(
        fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => play(fromMs, timeZone, steps)),
        cases(20),
      );
    });
  }
});

describe("levels", () => {
  const key = { dimension: "user", id: "u1", period: "day" } as const;
  const codes = (ledger: Ledger) =>
    ledger.sql
      .all("SELECT body FROM webhooks ORDER BY number")
      .map(({ body }) => JSON.parse(body as string) as { type: string; data: { code: string } })
      .filter(({ type }) => type === "budget.crossed")
      .map(({ data }) => data.code);

  it("are announced once per id and period, also after a restart, and again on the next day", () => {
    const clock = { nowMs: at("2026-03-10T12:00:00Z") };
    const ledger = openByClock(clock, { webhookUrl: "https://example.com/hook", allowanceOverrideMicros: 1_000_000 });
    setBudget(ledger, key, { limitMicros: 100, action: "warn" }, "operator");
    const use = (total: number, over = {}) => debit(ledger, report(total, { startedAtMs: clock.nowMs, ...over }));
    for (const total of [74, 75, 80, 90, 99]) use(total);
    ledger.budgets.clear();
    for (const total of [100, 150]) use(total);
    use(20, { final: true });
    use(130, { run: "r2" });
    expect(codes(ledger)).toEqual(["budget_75", "budget_90", "budget_reached"]);
    clock.nowMs += DAY_MS;
    use(100, { run: "r3" });
    expect(codes(ledger).slice(3)).toEqual(["budget_reached"]);
  });

  it("are announced when a new limit is below what is used", () => {
    const clock = { nowMs: at("2026-03-10T12:00:00Z") };
    const ledger = openByClock(clock, { webhookUrl: "https://example.com/hook", allowanceOverrideMicros: 1_000_000 });
    debit(ledger, report(80));
    setBudget(ledger, key, { limitMicros: 80, action: "block" }, "operator");
    expect(codes(ledger)).toEqual(["budget_reached"]);
  });

  it("of earlier days do not hide a budget of the cycle that is used up", () => {
    const clock = { nowMs: at("2026-03-10T12:00:00Z") };
    const ledger = openByClock(clock, { allowanceOverrideMicros: 1_000_000 });
    setBudget(ledger, { ...key, id: "*" }, { limitMicros: 10, action: "block" }, "operator");
    setBudget(ledger, { ...key, id: "z", period: "cycle" }, { limitMicros: 5, action: "block" }, "operator");
    const use = (user: string) =>
      debit(ledger, report(10, { run: `${user}-${clock.nowMs}`, user, startedAtMs: clock.nowMs }));
    for (const user of ["a", "b", "c", "z"]) use(user);
    clock.nowMs += DAY_MS;
    use("b");
    const { cycle } = ledger.books;
    const startsAtMs = { cycle: cycle.startsAtMs, day: dayOf(cycle, clock.nowMs) };
    expect(loadReached(ledger.sql, "user", startsAtMs, 2)).toEqual(["b", "z"]);
  });
});

it("counts what was charged before the budget was set, folded or not", () => {
  const clock = { nowMs: at("2026-03-10T12:00:00Z") };
  const ledger = openByClock(clock, { allowanceOverrideMicros: 1_000_000 });
  debit(ledger, report(30));
  ledger.sql.transaction(() => foldOutbox(ledger.sql));
  debit(ledger, report(50));
  const key = { dimension: "workspace", id: "w1", period: "cycle" } as const;
  setBudget(ledger, key, { limitMicros: 50, action: "block" }, "operator");
  expect(budgetStates(ledger, [key])).toMatchObject([{ usedMicros: 50 }]);
  expect(codeOf(ledger.start(start({ run: "r2" })))).toBe("budget_exhausted");
  removeBudget(ledger, key, "operator");
  expect(codeOf(ledger.start(start({ run: "r2" })))).toBe("none");
});

it("keeps a hold that has expired out of a budget, however many expire at once", () => {
  const clock = { nowMs: at("2026-03-10T12:00:00Z") };
  const ledger = openByClock(clock, { allowanceOverrideMicros: 1_000_000 });
  const key = { dimension: "user", id: "u1", period: "day" } as const;
  setBudget(ledger, key, { limitMicros: 2_500, action: "block" }, "operator");
  for (let i = 0; i < 2_500; i++) ledger.start(start({ run: `r${i}`, holdMicros: 1 }));
  expect(codeOf(ledger.start(start({ run: "late", holdMicros: 1 })))).toBe("budget_exhausted");
  clock.nowMs += 15 * MINUTE_MS;
  expect(codeOf(ledger.start(start({ run: "late", holdMicros: 2_500 })))).toBe("none");
  expect(codeOf(ledger.start(start({ run: "later", holdMicros: 1 })))).toBe("budget_exhausted");
  ledger.settle();
  expect(budgetStates(ledger, [key])).toMatchObject([{ heldMicros: 2_500 }]);
});

it("sums the expired holds of each id in portions, and each hold once", () => {
  const clock = { nowMs: at("2026-03-10T12:00:00Z") };
  const ledger = openByClock(clock, { allowanceOverrideMicros: 1_000_000 });
  const keys = USERS.map((id) => ({ dimension: "user", id, period: "day" }) as const);
  for (const key of keys) setBudget(ledger, key, { limitMicros: 1_500, action: "block" }, "operator");
  for (let i = 0; i < 3_000; i++) {
    const ids = { user: USERS[i % 2] as string, workspace: `w${i % 7}`, ...(i % 3 === 0 ? { group: "g1" } : {}) };
    ledger.start(start({ run: `r${i}`, ...ids, holdMicros: 1 }));
  }
  clock.nowMs += 15 * MINUTE_MS;
  ledger.budgets.expired.maxHolds = 1_000;
  const startWith = (holdMicros: number) => ledger.start(start({ run: "late", user: "u1", holdMicros }));
  for (let portion = 0; portion < 3; portion++) expect(() => startWith(1_500)).toThrow("LedgerBusy");
  // 1,000 of the expired holds have ended with each of these calls.
  expect(codeOf(startWith(1_501))).toBe("budget_exhausted");
  expect(codeOf(startWith(1_500))).toBe("none");
  expect(budgetStates(ledger, keys)).toMatchObject([{ heldMicros: 1_500 }, { heldMicros: 0 }]);
  ledger.settle();
  expect(budgetStates(ledger, keys)).toMatchObject([{ heldMicros: 1_500 }, { heldMicros: 0 }]);
});

it("a budget of a day counts what the last release had summed, and starts at zero on the next day", () => {
  const clock = { nowMs: at("2026-03-10T12:00:00Z") };
  const ledger = openByClock(clock, { allowanceOverrideMicros: 1_000_000 });
  const key = { dimension: "user", id: "u1", period: "day" } as const;
  setBudget(ledger, key, { limitMicros: 500, action: "block" }, "operator");
  const insert = "INSERT INTO totals_day (day_starts_at_ms, dimension, id, unit, amount_micros) VALUES (?, ?, ?, ?, ?)";
  ledger.sql.run(insert, at("2026-03-10T00:00:00Z"), "user", "u1", "credits", 70);
  debit(ledger, report(30));
  for (const usedMicros of [100, 100]) {
    ledger.budgets.clear();
    expect(budgetStates(ledger, [key])).toMatchObject([{ usedMicros }]);
    ledger.sql.transaction(() => foldOutbox(ledger.sql));
  }
  clock.nowMs += 24 * 60 * MINUTE_MS;
  expect(budgetStates(ledger, [key])).toMatchObject([{ usedMicros: 0 }]);
  debit(ledger, report(35));
  for (const usedMicros of [5, 5]) {
    ledger.budgets.clear();
    expect(budgetStates(ledger, [key])).toMatchObject([{ usedMicros }]);
    ledger.sql.transaction(() => foldOutbox(ledger.sql));
  }
});

describe("the sums of holds", () => {
  const key = { dimension: "user", id: "u1", period: "day" } as const;
  const clock = { nowMs: at("2026-03-10T12:00:00Z") };
  const held = (ledger: Ledger) => budgetStates(ledger, [key])[0]?.heldMicros;
  const open = () => {
    const ledger = openByClock(clock, { allowanceOverrideMicros: 1_000_000 });
    ledger.start(start({ run: "early", holdMicros: 5 }));
    setBudget(ledger, key, { limitMicros: 500, action: "block" }, "operator");
    return ledger;
  };
  /** Runs `act` and returns how often it has summed the runs. */
  const scans = (sql: Sql, act: () => void): number => {
    const { run } = sql;
    let count = 0;
    sql.run = (statement, ...params) => {
      if (statement.includes("FROM runs")) count += 1;
      run(statement, ...params);
    };
    act();
    sql.run = run;
    return count;
  };

  it("are summed from the runs once, and then follow from what commits have moved", () => {
    const ledger = open();
    expect(held(ledger)).toBe(5);
    for (const run of ["r2", "r3"]) ledger.start(start({ run, holdMicros: 20 }));
    debit(ledger, report(8, { run: "r2" }));
    ledger.releaseHold("r3");
    for (const fold of [false, true]) {
      if (fold) ledger.sql.transaction(() => foldOutbox(ledger.sql));
      ledger.budgets.clear();
      expect(scans(ledger.sql, () => expect(held(ledger)).toBe(17))).toBe(0);
    }
    debit(ledger, report(8, { run: "r2", final: true }));
    ledger.releaseHold("early");
    ledger.budgets.clear();
    expect(held(ledger)).toBe(0);
    expect(ledger.sql.all("SELECT * FROM held_sums")).toEqual([]);
  });

  it("are summed again after commits that did not say what they moved: without a budget, or of an earlier release", () => {
    const ledger = open();
    expect(held(ledger)).toBe(5);
    removeBudget(ledger, key, "operator");
    ledger.start(start({ run: "r2", holdMicros: 20 }));
    setBudget(ledger, key, { limitMicros: 500, action: "block" }, "operator");
    expect(held(ledger)).toBe(25);
    ledger.start(start({ run: "r3", holdMicros: 100 }));
    ledger.sql.run("UPDATE outbox_items SET held = NULL");
    ledger.budgets.clear();
    expect(held(ledger)).toBe(125);
  });

  it("stay as they are after names have changed, and are summed again after a workspace has changed its group", () => {
    const ledger = open();
    const put = (groupId: string) =>
      ledger.putDirectory({ workspaces: [{ id: "w1", name: "W", groupId }], groups: [], users: [] });
    put("g1");
    setBudget(ledger, { ...key, dimension: "group", id: "*" }, { limitMicros: 9, action: "warn" }, "operator");
    const byGroup = () => ["g1", "g2"].map((id) => budgetStates(ledger, [{ dimension: "group", id }])[0]?.heldMicros);
    expect(byGroup()).toEqual([5, 0]);
    expect(scans(ledger.sql, () => put("g1"))).toBe(0);
    put("g2");
    expect(byGroup()).toEqual([0, 5]);
  });
});

it("the audit finds a sum in memory that the totals do not have, and holds that do not add up", () => {
  const clock = { nowMs: at("2026-03-10T12:00:00Z") };
  const ledger = openByClock(clock, { allowanceOverrideMicros: 1_000_000 });
  setBudget(ledger, { dimension: "user", id: "u1", period: "day" }, { limitMicros: 500, action: "block" }, "operator");
  debit(ledger, report(30));
  ledger.start(start({ run: "r2", holdMicros: 40 }));
  const failed = () => auditBooks(ledger).filter(({ ok }) => !ok);
  expect(failed()).toEqual([]);
  ledger.sql.transaction(() => foldOutbox(ledger.sql));
  expect(failed()).toEqual([]);
  ledger.sql.run("UPDATE totals_cycle SET day_micros = 29 WHERE dimension = 'user'");
  expect(failed()).toMatchObject([{ name: "budgets", detail: expect.stringContaining("user u1, day in credits: 30") }]);
  ledger.budgets.clear();
  expect(failed()).toEqual([]);
  budgetStates(ledger, [{ dimension: "user", id: "u1" }]);
  ledger.sql.run("UPDATE held_sums SET credits = 39 WHERE dimension = 'user'");
  expect(failed()).toMatchObject([{ name: "budgets", detail: expect.stringContaining("held by user") }]);
});

it("an audit finds an amount that is held by another id, although the sum over all ids is right", () => {
  const clock = { nowMs: at("2026-03-10T12:00:00Z") };
  const ledger = openByClock(clock, { allowanceOverrideMicros: 1_000_000 });
  setBudget(ledger, { dimension: "user", id: "u1", period: "day" }, { limitMicros: 500, action: "block" }, "operator");
  for (const user of USERS) ledger.start(start({ run: user, user, holdMicros: 40 }));
  const failed = () => auditBooks(ledger).filter(({ ok }) => !ok);
  expect(failed()).toEqual([]);
  ledger.sql.transaction(() => foldOutbox(ledger.sql));
  ledger.start(start({ run: "waits", user: "u2", holdMicros: 5 }));
  expect(failed()).toEqual([]);
  ledger.sql.run("UPDATE held_sums SET credits = iif(id = 'u1', 39, 41) WHERE dimension = 'user'");
  ledger.budgets.clear();
  expect(failed()).toMatchObject([{ name: "budgets", detail: expect.stringContaining("held by each user") }]);
});
