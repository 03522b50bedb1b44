// The demo's history: local hours in any time zone, steps within one local day, and runs that can be sent again.
import { describe, expect, it } from "vitest";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { cycleAt } from "../../src/ledger/cycle.ts";
import { forecastOf } from "../../src/ledger/forecast.ts";
import { medianMicros } from "../../tools/demo/agent.ts";
import { anchorDayFor, busyness, historySteps, localTime, MAX_STEP_MS, pastHours } from "../../tools/demo/rhythm.ts";
import { costOfMeters, runsOfHour } from "../../tools/demo/runs.ts";
import { seedEnterprise } from "../../tools/demo/seed.ts";
import { cycleTargets } from "../../tools/demo/targets.ts";
import { DEMO_ENTERPRISES, type DemoEnterprise } from "../../tools/demo/world.ts";
import type { Call } from "../../tools/kit/http.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = Date.parse("2026-11-23T14:20:00Z");
const MODEL = { id: "m", aliases: [], input: "3", output: "15", cache_read: "0.3", cache_write: "3.75" };
const BOOK: PriceBook = { version: 1, credits_per_usd: 100, models: [MODEL] };

describe("past hours", () => {
  it("are full local hours in a half-hour zone, and the last one ends now", () => {
    const hours = pastHours(NOW_MS - 5 * HOUR_MS, NOW_MS, "Asia/Kolkata");
    expect(hours.map(({ hour }) => hour)).toEqual([15, 16, 17, 18, 19]);
    expect(hours.every(({ minute }) => minute === 0)).toBe(true);
    expect(hours.at(-1)).toMatchObject({ startsAtMs: Date.parse("2026-11-23T13:30:00Z"), endsAtMs: NOW_MS });
  });

  it("are busier by day than by night, and quiet at weekends", () => {
    const week = pastHours(NOW_MS - 7 * 24 * HOUR_MS, NOW_MS, "Europe/Berlin");
    const at = (date: string, hour: number) => busyness(week.find((past) => past.date === date && past.hour === hour)!);
    expect(at("2026-11-19", 10)).toBeGreaterThan(10 * at("2026-11-19", 23));
    expect(at("2026-11-21", 10)).toBeLessThan(0.2 * at("2026-11-20", 10));
  });

  it.each(["Europe/Berlin", "Asia/Kolkata", "America/New_York", "Pacific/Chatham"])(
    "form steps that stay within one local day in %s",
    (zone) => {
      const hours = pastHours(NOW_MS - 34 * 24 * HOUR_MS, NOW_MS, zone);
      const steps = historySteps(hours, NOW_MS);
      expect(steps.flatMap((step) => step.hours)).toEqual(hours);
      for (const { hours: own, arriveAtMs } of steps) {
        expect(localTime(arriveAtMs, zone).date).toBe(own[0]!.date);
        expect(own.at(-1)!.endsAtMs - own[0]!.startsAtMs).toBeLessThanOrEqual(MAX_STEP_MS);
      }
      const arrivals = steps.map(({ arriveAtMs }) => arriveAtMs);
      expect(arrivals).toEqual(arrivals.toSorted((a, b) => a - b));
      expect(arrivals.at(-1)).toBeLessThan(NOW_MS);
    },
  );
});

describe("the cycle", () => {
  it("is about as old as configured, with an anchor day that every month has", () => {
    expect(anchorDayFor(NOW_MS, "Europe/Berlin", 20)).toBe(3);
    expect(anchorDayFor(Date.parse("2026-11-20T12:00:00Z"), "UTC", 20)).toBe(28);
  });
});

describe("what the demo has used", () => {
  const ALLOWANCES: Record<string, number> = { acme: 25_000_000_000, globex: 0, initech: 500_000_000 };
  const DAY_MS = 24 * HOUR_MS;

  /** The last cycle and its forecast, if the demo is first started at this moment. */
  function startedAt(nowMs: number, enterprise: DemoEnterprise) {
    const { id, settings, grants, monthlyCapMicros } = enterprise;
    const anchorDay = anchorDayFor(nowMs, settings.time_zone, enterprise.daysIntoCycle);
    const targets = cycleTargets(enterprise, anchorDay, ALLOWANCES[id]!, nowMs);
    const current = targets.at(-1)!;
    const expiries = grants.map(({ amount_micros, expiresInDays }) => ({
      micros: amount_micros,
      expiresAtMs: expiresInDays === null ? null : nowMs + expiresInDays * DAY_MS,
    }));
    const lastingMicros = (monthlyCapMicros ?? ALLOWANCES[id]!) - current.usedMicros;
    const credit = { lastingMicros, grants: expiries.toSorted((a) => (a.expiresAtMs === null ? 1 : -1)) };
    return {
      targets,
      current,
      anchorDay,
      lastingMicros,
      forecast: forecastOf(current.usedMicros, credit, current, nowMs),
    };
  }

  const MOMENTS = Array.from({ length: 520 }, (_, index) => Date.parse("2026-11-01T00:30:00Z") + index * 35 * HOUR_MS);

  it("makes Acme run out some days from now and before the reset, while a grant expires, at every moment of two years", () => {
    for (const nowMs of MOMENTS) {
      const { current, lastingMicros, forecast } = startedAt(nowMs, DEMO_ENTERPRISES[0]!);
      const at = new Date(nowMs).toISOString();
      expect(forecast.onTrackToRunOut, at).toBe(true);
      expect(forecast.runOutDays, at).toBeGreaterThan(2.2);
      expect((current.endsAtMs - forecast.runOutAtMs!) / DAY_MS, at).toBeGreaterThan(3);
      expect(forecast.expiringMicros, at).toBe(600_000_000);
      expect(lastingMicros, at).toBeGreaterThan(0);
    }
  });

  it("keeps the others below their limits at every moment of two years", () => {
    for (const enterprise of DEMO_ENTERPRISES.slice(1)) {
      for (const nowMs of MOMENTS) {
        const { forecast, lastingMicros } = startedAt(nowMs, enterprise);
        const ratio = forecast.leftAtResetMicros! / (enterprise.monthlyCapMicros ?? ALLOWANCES[enterprise.id]!);
        expect(forecast.onTrackToRunOut).toBe(false);
        expect(ratio).toBeGreaterThan(0.07);
        expect(lastingMicros).toBeGreaterThan(0);
      }
    }
  });

  it("has two whole cycles before this one, which were less busy and within the allowance", () => {
    const { targets, anchorDay } = startedAt(NOW_MS, DEMO_ENTERPRISES[0]!);
    expect(targets.map(({ usedMicros }) => Math.round(usedMicros / 1e6))).toEqual([16_000, 21_500, expect.any(Number)]);
    expect(targets.map(({ activity }) => activity < 1)).toEqual([true, true, false]);
    for (const { startsAtMs, endsAtMs } of targets) {
      expect(cycleAt(startsAtMs, "Europe/Berlin", anchorDay)).toEqual({ startsAtMs, endsAtMs });
    }
  });

  it("lets the agents of Acme work harder while it is not on track to run out", () => {
    const [acme, globex] = DEMO_ENTERPRISES as [DemoEnterprise, DemoEnterprise];
    const gauge = (on_track_to_run_out: boolean) => ({ available_micros: 1_000_000_000, on_track_to_run_out });
    expect(medianMicros(acme, gauge(true))).toBe(100_000);
    expect(medianMicros(acme, gauge(false))).toBe(1_000_000);
    expect(medianMicros(globex, gauge(false))).toBe(100_000);
  });
});

describe("the runs of an hour", () => {
  const [hour] = pastHours(Date.parse("2026-11-19T09:00:00Z"), NOW_MS, "Europe/Berlin");

  it("are the same every time, with distinct ids", () => {
    const runs = runsOfHour(DEMO_ENTERPRISES[0]!, hour!, BOOK);
    expect(runs.length).toBeGreaterThan(2);
    expect(runsOfHour(DEMO_ENTERPRISES[0]!, hour!, BOOK)).toEqual(runs);
    expect(new Set(runs.map(({ run }) => run)).size).toBe(runs.length);
    for (const { startedAtMs } of runs) expect(startedAtMs).toBeLessThan(hour!.endsAtMs);
  });
});

describe("the demo enterprises", () => {
  it("refer only to their own groups, and use ids that the interface accepts", () => {
    for (const { groups, workspaces, users, grants, id } of DEMO_ENTERPRISES) {
      const known = new Set(groups.map((group) => group.id));
      for (const { group_id } of workspaces) expect(group_id === undefined || known.has(group_id)).toBe(true);
      for (const { group } of users) expect(known.has(group)).toBe(true);
      for (const each of [id, ...[...groups, ...workspaces, ...users, ...grants].map((row) => row.id)]) {
        expect(each).toMatch(/^[A-Za-z0-9_.:@/-]{1,128}$/);
      }
    }
  });
});

describe("seedEnterprise", () => {
  /** A fake interface that keeps what the seed writes, and can fail after some calls. */
  function fakeInterface(enterprise: DemoEnterprise) {
    let shown: Record<string, unknown> | null = null;
    const runs = new Map<string, { arrivedAt: string; started_at: string }>();
    const budgets: [of: string, limitMicros: unknown][] = [];
    let callsLeft = Number.POSITIVE_INFINITY;
    const call: Call = async (method, path, body) => {
      if (callsLeft-- <= 0) throw new Error("the power went out");
      const rest = path.slice(`/v1/enterprises/${enterprise.id}`.length);
      const input = body as Record<string, unknown>;
      if (rest === "" && method === "GET")
        return shown ? { status: 200, body: { ...shown } } : { status: 404, body: {} };
      if (rest === "") shown = { ...input, gauge: { monthly: { allowance_micros: 25_000_000_000 } } };
      if (rest === "/test-clock") {
        expect(Date.parse(input.now as string)).toBeGreaterThanOrEqual(Date.parse(shown!.test_clock as string));
        shown!.test_clock = input.now;
      }
      if (rest === "/demo/follow-real-clock") shown!.test_clock = null;
      if (rest === "/gauge") return { status: 200, body: { used_micros: 3_000_000_000 } };
      if (rest.startsWith("/usage/top/")) {
        const ids = [...enterprise.groups, ...enterprise.users].map(({ id }) => id);
        const rows = ids.map((id) => ({ id, amount_micros: 1_000_000_000 }));
        return { status: 200, body: { total_micros: 3_000_000_000, rows } };
      }
      if (rest.startsWith("/budgets/")) budgets.push([rest.slice("/budgets/".length), input.limit_micros]);
      if (rest !== "/debits") return { status: 200, body: { ...shown } };
      const reports = input.reports as { run: string; model: string; started_at: string }[];
      for (const { run, model, started_at } of reports) {
        runs.set(`${run} ${model}`, {
          arrivedAt: shown!.test_clock as string,
          started_at,
          ...runs.get(`${run} ${model}`),
        });
      }
      return { status: 200, body: { results: reports.map(() => ({})) } };
    };
    return { call, runs, budgets, failAfter: (count: number) => (callsLeft = count), shown: () => shown };
  }

  const ACME = DEMO_ENTERPRISES[0]!;

  it("sends the history of three cycles, follows the real clock, and does nothing the second time", async () => {
    const operator = fakeInterface(ACME);
    expect(await seedEnterprise(ACME, BOOK, operator.call, NOW_MS)).toBe(true);
    expect(operator.shown()).toMatchObject({ test_clock: null, anchor_day: 3 });
    expect(operator.runs.size).toBeGreaterThan(500);
    for (const { arrivedAt, started_at } of operator.runs.values()) {
      expect(Date.parse(started_at)).toBeLessThan(Date.parse(arrivedAt) + 5000);
    }
    expect(await seedEnterprise(ACME, BOOK, operator.call, NOW_MS)).toBe(false);
  });

  it("sets each budget once: a team's is well used, and a member's is used up", async () => {
    const operator = fakeInterface(ACME);
    await seedEnterprise(ACME, BOOK, operator.call, NOW_MS);
    expect(operator.budgets).toEqual([
      ["user/*/day", 400_000_000],
      [`user/${ACME.users[0]!.id}/day`, 4_800_000_000],
      [`group/${ACME.groups[0]!.id}/cycle`, 1_201_000_000],
      [`user/${ACME.users.at(-1)!.id}/cycle`, 980_000_000],
    ]);
  });

  it.each([5, 50, 121])("resumes after a failure at call %i and ends with the same runs", async (count) => {
    const [whole, interrupted] = [fakeInterface(ACME), fakeInterface(ACME)];
    await seedEnterprise(ACME, BOOK, whole.call, NOW_MS);
    interrupted.failAfter(count);
    await expect(seedEnterprise(ACME, BOOK, interrupted.call, NOW_MS)).rejects.toThrow("power");
    interrupted.failAfter(Number.POSITIVE_INFINITY);
    expect(await seedEnterprise(ACME, BOOK, interrupted.call, NOW_MS)).toBe(true);
    expect([...interrupted.runs.keys()].sort()).toEqual([...whole.runs.keys()].sort());
  });

  it("leaves alone an enterprise with a test clock that somebody else created", async () => {
    const operator = fakeInterface(ACME);
    await operator.call("PUT", "/v1/enterprises/acme", { name: "Another Acme", test_clock: "2020-01-01T00:00:00Z" });
    expect(await seedEnterprise(ACME, BOOK, operator.call, NOW_MS)).toBe(false);
  });

  it("creates runs that cost something", () => {
    const hours = pastHours(NOW_MS - 24 * HOUR_MS, NOW_MS, "Europe/Berlin");
    const meters = hours.flatMap((hour) => runsOfHour(ACME, hour, BOOK)).flatMap((run) => run.meters);
    expect(costOfMeters(meters, ACME, BOOK)).toBeGreaterThan(0);
  });
});
