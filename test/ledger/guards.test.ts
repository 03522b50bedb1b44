// The guards that a report passes, in the order in which their refusals are documented.
import { describe, expect, it } from "vitest";
import type { Debit, Report } from "../../src/ledger/debit.ts";
import { isRefusal, type Refused } from "../../src/ledger/refusals.ts";
import {
  books,
  byomBooks,
  DAY_MS,
  decideReport,
  granted,
  type Known,
  MINUTE_MS,
  meter,
  NOON,
  price,
  report,
  run,
  tokens,
  UNIT_PRICE,
} from "../support/books.ts";

const accept = (sent: Report, known: Known = {}): Debit => granted(decideReport(sent, known));
const refusal = (decided: Debit | Refused) => (isRefusal(decided) ? decided.refusal : null);

describe("the guards", () => {
  const unknown = { surface: undefined, workspace: undefined, user: undefined, startedAtMs: undefined };

  it("first require what the first report of a run must contain", () => {
    expect(refusal(decideReport(report(1, { ...unknown, price: null })))).toEqual({
      code: "validation_failed",
      errors: ["surface", "workspace", "user", "started_at"].map((path) => ({
        path,
        message: "required until the run is known",
      })),
    });
    expect(refusal(decideReport(report(1, { user: undefined })))).toMatchObject({ errors: [{ path: "user" }] });
    expect(refusal(decideReport(report(1, unknown), { run: run() }))).toBeNull();
  });

  it("then require a model that has a price, and name it as the caller did", () => {
    const strange = report(1, {
      model: "vendor/new",
      reportedAs: "new",
      price: null,
      user: "someone else",
      startedAtMs: NOON - 36 * DAY_MS,
    });
    expect(refusal(decideReport(strange, { run: run({ startedAtMs: NOON - 36 * DAY_MS }) }))).toEqual({
      code: "unknown_model",
      model: "new",
    });
  });

  it("then require the run's workspace, user and surface", () => {
    const old = run({ startedAtMs: NOON - 36 * DAY_MS });
    const conflict = (over: Partial<Report>) => refusal(decideReport(report(1, over), { run: old }));
    expect(conflict({ workspace: "w2" })).toEqual({
      code: "run_attribution_conflict",
      field: "workspace",
      known: "w1",
    });
    expect(conflict({ user: "u2" })).toEqual({ code: "run_attribution_conflict", field: "user", known: "u1" });
    expect(conflict({ surface: "cli" })).toEqual({ code: "run_attribution_conflict", field: "surface", known: "web" });
  });

  it("then require a start that is not older than 35 days, unless the meter is known", () => {
    const startedAtMs = NOON - 35 * DAY_MS;
    expect(refusal(decideReport(report(1, { startedAtMs })))).toBeNull();
    expect(refusal(decideReport(report(1, { startedAtMs: startedAtMs - 1 })))).toEqual({
      code: "run_too_old",
      startedAtMs: startedAtMs - 1,
    });
    const old = run({ startedAtMs: startedAtMs - 1 });
    expect(refusal(decideReport(report(1), { run: old, meters: [meter()] }))).toBeNull();
    expect(refusal(decideReport(report(1, { model: "m2" }), { run: old, meters: [meter()] }))).toMatchObject({
      code: "run_too_old",
    });
  });

  it("use the earlier of the reported and the known start if the meter is not known", () => {
    const [old, recent] = [NOON - 35 * DAY_MS - 1, NOON];
    const second = (saidAtMs: number, knownAtMs: number) =>
      decideReport(report(1, { model: "m2", startedAtMs: saidAtMs }), { run: run({ startedAtMs: knownAtMs }) });
    expect(refusal(second(recent, recent))).toBeNull();
    for (const [said, known] of [
      [old, recent],
      [recent, old],
    ] as const) {
      expect(refusal(second(said, known))).toEqual({ code: "run_too_old", startedAtMs: old });
    }
    expect(refusal(second(NOON + DAY_MS, recent))).toBeNull();
    expect(refusal(decideReport(report(1, { startedAtMs: old }), { run: run(), meters: [meter()] }))).toBeNull();
  });

  it("never charge a forgotten meter again", () => {
    const longAgo = NOON - 36 * DAY_MS;
    const forgotten = meter({ lastReportAtMs: longAgo, chargedMicros: 5, usage: tokens({ input: 5 }) });
    expect(refusal(decideReport(report(5), { run: run({ startedAtMs: longAgo }), meters: [forgotten] }))).toMatchObject(
      {
        code: "run_too_old",
      },
    );
  });

  it("then require a start that is at most five minutes in the future", () => {
    expect(refusal(decideReport(report(1, { startedAtMs: NOON + 5 * MINUTE_MS })))).toBeNull();
    expect(refusal(decideReport(report(1, { startedAtMs: NOON + 5 * MINUTE_MS + 1 })))).toMatchObject({
      code: "started_in_future",
    });
  });

  it("finally refuse a charge, a run's total or a cycle's sum above 2^53−1", () => {
    const most = Number.MAX_SAFE_INTEGER;
    const dear = (input: number) => price({ rates: { ...UNIT_PRICE.rates, input } });
    const charging = (input: number, output: number) =>
      refusal(decideReport(report(0, { price: dear(input), usage: tokens({ input: 10 ** 12, output }) })));
    expect(charging(9_007_199_254, 740_991_000_000)).toEqual({ code: "charge_too_large" });
    expect(charging(9_007_199_254, 740_991)).toBeNull();
    expect(charging(9_007_199_254, 740_992)).toEqual({ code: "charge_too_large" });

    const nearly = books({ cycle: { allowanceMicros: most, monthlyUsedMicros: most - 10 } });
    const owing = books({ cycle: { debtMicros: most - 10 } });
    const spent = byomBooks({ cycle: { spendUsedMicros: most - 10 } });
    for (const kept of [nearly, owing, spent]) {
      expect(refusal(decideReport(report(10), { books: kept }))).toBeNull();
      expect(refusal(decideReport(report(11), { books: kept }))).toEqual({ code: "charge_too_large" });
    }
    const huge = meter({ model: "m2", chargedMicros: most - 10 });
    expect(refusal(decideReport(report(10), { run: run(), meters: [huge] }))).toBeNull();
    expect(refusal(decideReport(report(11), { run: run(), meters: [huge] }))).toEqual({ code: "charge_too_large" });
  });

  it("never refuse for lack of credit, or while the enterprise is suspended", () => {
    expect(accept(report(50_000)).books.cycle.debtMicros).toBe(49_000);
    expect(accept(report(5), { books: books({ settings: { suspended: true } }) }).chargedMicros).toBe(5);
    expect(accept(report(5), { books: byomBooks({ capMicros: 0 }) }).books.cycle.spendUsedMicros).toBe(5);
  });
});
