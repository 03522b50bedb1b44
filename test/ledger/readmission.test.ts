// Rule R6: a known run asks again, and may raise its hold.
import { describe, expect, it } from "vitest";
import { type Admission, decideAdmission, type StartRequest } from "../../src/ledger/admission.ts";
import type { Books, Hold, Meter, Run } from "../../src/ledger/books.ts";
import { isRefusal } from "../../src/ledger/refusals.ts";
import { books, byomBooks, DAY_MS, granted, MINUTE_MS, meter, NOON, run, start } from "../support/books.ts";

type Known = { books?: Books; run?: Run | null; meters?: Meter[] };
const ask = (request: StartRequest, { books: kept = books(), run: of = null, meters = [] }: Known = {}) =>
  decideAdmission({ books: kept, run: of, meters }, request, NOON);
const refusal = (request: StartRequest, known: Known = {}) => {
  const decided = ask(request, known);
  return isRefusal(decided) ? decided.refusal : null;
};
const admit = (request: StartRequest, known: Known = {}): Admission => granted(ask(request, known));
const hold = (micros: number, over: Partial<Hold> = {}): Hold => ({
  unit: "credits",
  micros,
  ttlMs: 900_000,
  expiresAtMs: NOON + MINUTE_MS,
  ...over,
});

describe("a known run", () => {
  const admitted = run({ reported: false, hold: hold(400) });
  const kept = books({ held: { credits: 400, usd: 0 } });
  const known = { books: kept, run: admitted };

  it("gets the same answer even if nothing is available any more", () => {
    const exhausted = books({ cycle: { monthlyUsedMicros: 1_000 }, held: { credits: 400, usd: 0 } });
    expect(admit(start({ holdMicros: 400 }), { books: exhausted, run: admitted })).toEqual({
      books: exhausted,
      run: admitted,
      created: false,
      changed: false,
    });
    expect(admit(start(), { books: exhausted, run: admitted })).toMatchObject({ created: false, changed: false });
  });

  it("gets the same answer while the enterprise is suspended", () => {
    expect(admit(start(), { books: books({ settings: { suspended: true } }), run: run() }).created).toBe(false);
  });

  it("may raise its hold if the difference fits", () => {
    expect(admit(start({ holdMicros: 1_000 }), known)).toMatchObject({
      created: false,
      changed: true,
      run: { hold: { micros: 1_000, expiresAtMs: NOON + 15 * MINUTE_MS } },
      books: { held: { credits: 1_000, usd: 0 } },
    });
    expect(refusal(start({ holdMicros: 1_001 }), known)).toEqual({
      code: "insufficient_credits",
      availableMicros: 600,
    });
  });

  it("is not changed by a smaller hold", () => {
    expect(admit(start({ holdMicros: 399, holdTtlMs: 1_000 }), known)).toEqual({
      ...known,
      created: false,
      changed: false,
    });
    expect(admit(start({ holdMicros: 0 }), known).changed).toBe(false);
  });

  it("raises what is left of its hold, not what the hold once was", () => {
    const used = {
      books: books({ cycle: { monthlyUsedMicros: 300 }, held: { credits: 100, usd: 0 } }),
      run: run({ hold: hold(100) }),
    };
    expect(admit(start({ holdMicros: 400 }), used)).toMatchObject({
      run: { hold: { micros: 400 } },
      books: { held: { credits: 400 } },
    });
  });

  it("is refused under another workspace, user or surface", () => {
    expect(refusal(start({ workspace: "w2" }), known)).toMatchObject({
      code: "run_attribution_conflict",
      field: "workspace",
    });
    expect(refusal(start({ user: "u2" }), known)).toMatchObject({ field: "user" });
    expect(refusal(start({ surface: "cli" }), known)).toMatchObject({ field: "surface" });
  });

  it("is refused once all of its meters are final, and not before", () => {
    const final = meter({ final: true });
    expect(refusal(start(), { run: run(), meters: [final, meter({ model: "m2" })] })).toBeNull();
    expect(refusal(start(), { run: run(), meters: [final, meter({ model: "m2", final: true })] })).toEqual({
      code: "run_closed",
    });
  });

  it("is refused beyond its retention if it has never reported", () => {
    const old = run({ startedAtMs: NOON - 35 * DAY_MS - 1 });
    expect(refusal(start(), { run: old })).toMatchObject({ code: "run_too_old" });
    expect(refusal(start(), { run: old, meters: [meter()] })).toBeNull();
  });

  it("is refused once its last meter is forgotten, whether its rows are pruned or not", () => {
    const old = run({ startedAtMs: NOON - 80 * DAY_MS });
    const last = (daysAgo: number, final = false) => [meter({ lastReportAtMs: NOON - daysAgo * DAY_MS, final })];
    expect(refusal(start({ holdMicros: 1 }), { run: old, meters: last(35) })).toBeNull();
    expect(refusal(start({ holdMicros: 1 }), { run: old, meters: last(36) })).toMatchObject({ code: "run_too_old" });
    expect(refusal(start(), { run: old, meters: last(35, true) })).toMatchObject({ code: "run_closed" });
    expect(refusal(start(), { run: old, meters: last(36, true) })).toMatchObject({ code: "run_too_old" });
  });

  it("exchanges a hold in the other unit for one in the enterprise's", () => {
    const switched = byomBooks({ held: { credits: 400, usd: 0 }, capMicros: 1_000 });
    const { books: after, run: raised } = admit(start({ holdMicros: 30 }), { books: switched, run: admitted });
    expect(raised.hold).toMatchObject({ unit: "usd", micros: 30 });
    expect(after.held).toEqual({ credits: 0, usd: 30 });
  });
});
