// Rules R5 and R6: whether a new run may start, and with which hold. The guards come first, in their order.
import { describe, expect, it } from "vitest";
import { type Admission, decideAdmission, type StartRequest } from "../../../src/ledger/admission.ts";
import type { Books, Hold, Meter, Run } from "../../../src/ledger/books.ts";
import { isRefusal } from "../../../src/ledger/refusals.ts";
import {
  at,
  books,
  byomBooks,
  codeOf,
  DAY_MS,
  debit,
  grant,
  granted,
  HOUR_MS,
  MINUTE_MS,
  NOON,
  openBooks,
  report,
  start,
} from "../../support/books.ts";

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
const withUsed = (monthlyUsedMicros: number) => books({ cycle: { monthlyUsedMicros } });

describe("a new run", () => {
  it("is refused when it started over 35 days ago, or more than five minutes ahead", () => {
    expect(refusal(start({ startedAtMs: NOON - 35 * DAY_MS - 1 }))).toMatchObject({ code: "run_too_old" });
    expect(refusal(start({ startedAtMs: NOON + 5 * MINUTE_MS + 1 }))).toMatchObject({ code: "started_in_future" });
    expect(refusal(start({ startedAtMs: NOON - 35 * DAY_MS }))).toBeNull();
    expect(refusal(start({ startedAtMs: NOON + 5 * MINUTE_MS }))).toBeNull();
  });

  it("is refused while the enterprise is suspended, with or without credit", () => {
    const suspended = { settings: { suspended: true } };
    expect(refusal(start(), { books: books(suspended) })).toEqual({ code: "enterprise_suspended" });
    expect(refusal(start(), { books: books({ ...suspended, cycle: { monthlyUsedMicros: 1_000 } }) })).toEqual({
      code: "enterprise_suspended",
    });
  });

  it("is refused when nothing is available, with or without a hold", () => {
    for (const holdMicros of [null, 0, 1, 5_000]) {
      expect(refusal(start({ holdMicros }), { books: withUsed(1_000) })).toEqual({
        code: "credits_exhausted",
        availableMicros: 0,
      });
    }
  });

  it("is refused when its hold exceeds what is available, and the answer says how much that is", () => {
    expect(refusal(start({ holdMicros: 301 }), { books: withUsed(700) })).toEqual({
      code: "insufficient_credits",
      availableMicros: 300,
    });
    expect(refusal(start({ holdMicros: 300 }), { books: withUsed(700) })).toBeNull();
  });

  it("starts without a hold as long as anything is available", () => {
    expect(admit(start(), { books: withUsed(999) })).toMatchObject({
      created: true,
      changed: true,
      run: { hold: null, startedAtMs: NOON, reported: false },
    });
    expect(admit(start({ holdMicros: 0 })).run.hold).toBeNull();
  });

  it("may use what remains, minus debt and the holds of others, never less than zero", () => {
    const available = (of: Books) => {
      const refused = refusal(start({ holdMicros: Number.MAX_SAFE_INTEGER }), { books: of });
      return refused !== null && "availableMicros" in refused ? refused.availableMicros : null;
    };
    expect(available(books({ grants: [grant("g1")], held: { credits: 250, usd: 999 } }))).toBe(850);
    expect(available(books({ cycle: { monthlyUsedMicros: 900, debtMicros: 60 } }))).toBe(40);
    expect(available(books({ cycle: { monthlyUsedMicros: 900 }, held: { credits: 500, usd: 0 } }))).toBe(0);
    expect(available(books({ grants: [grant("ended", { expiresAtMs: NOON })] }))).toBe(1_000);
  });

  it("holds for 15 minutes, or for as long as it asks", () => {
    const { books: after, run: admitted } = admit(start({ holdMicros: 400 }));
    expect(admitted.hold).toEqual(hold(400, { expiresAtMs: NOON + 15 * MINUTE_MS }));
    expect(after).toMatchObject({ held: { credits: 400, usd: 0 }, seq: 11 });
    expect(admit(start({ holdMicros: 400, holdTtlMs: DAY_MS })).run.hold?.expiresAtMs).toBe(NOON + DAY_MS);
  });
});

describe("a new run of an enterprise with a cap", () => {
  const spent = (spendUsedMicros: number, over: Parameters<typeof byomBooks>[0] = {}) =>
    byomBooks({ cycle: { spendUsedMicros }, capMicros: 1_000, ...over });

  it("starts while spend and holds together are below the cap", () => {
    expect(refusal(start(), { books: spent(999) })).toBeNull();
    expect(refusal(start(), { books: spent(1_000) })).toEqual({ code: "spend_cap_reached", availableMicros: 0 });
    expect(refusal(start(), { books: spent(600, { held: { credits: 0, usd: 400 } }) })).toMatchObject({
      code: "spend_cap_reached",
    });
    expect(refusal(start(), { books: spent(600, { held: { credits: 400, usd: 399 } }) })).toBeNull();
  });

  it("is refused when its hold does not fit under the cap", () => {
    expect(refusal(start({ holdMicros: 401 }), { books: spent(600) })).toEqual({
      code: "spend_cap_reached",
      availableMicros: 400,
    });
    expect(admit(start({ holdMicros: 400 }), { books: spent(600) }).books.held).toEqual({ credits: 0, usd: 400 });
  });

  it("never starts under a cap of zero", () => {
    expect(refusal(start(), { books: spent(0, { capMicros: 0 }) })).toMatchObject({ code: "spend_cap_reached" });
  });

  it("always starts without a cap, as long as the sum of holds is a valid amount", () => {
    const most = Number.MAX_SAFE_INTEGER;
    expect(refusal(start(), { books: spent(10 ** 12, { capMicros: null }) })).toBeNull();
    const { books: after } = admit(start({ holdMicros: most }), { books: spent(0, { capMicros: null }) });
    expect(refusal(start({ run: "r2", holdMicros: 1 }), { books: after })).toEqual({ code: "charge_too_large" });
  });
});

describe("a series of starts", () => {
  it("admits exactly as many of a thousand holds as fit", () => {
    const ledger = openBooks();
    const codes = Array.from({ length: 1_000 }, (_, i) =>
      codeOf(ledger.start(start({ run: `r${i}`, holdMicros: 30 }))),
    );
    expect(codes.filter((code) => code === "none")).toHaveLength(33);
    expect(codes.slice(33).every((code) => code === "insufficient_credits")).toBe(true);
    expect(ledger.gauge()).toMatchObject({ heldMicros: 990, availableMicros: 10, debtMicros: 0 });
  });

  it("treats a run that reported before it asked as known", () => {
    const ledger = openBooks();
    debit(ledger, report(1));
    expect(granted(ledger.start(start()))).toMatchObject({ created: false, hold: null });
  });

  it("keeps a hold of zero while its run continues", () => {
    const ledger = openBooks();
    ledger.start(start({ holdMicros: 100 }));
    expect(debit(ledger, report(150))).toMatchObject({ availableMicros: 850, action: "continue" });
    expect(granted(ledger.start(start())).hold).toMatchObject({ micros: 0 });
  });

  it("answers a refused run with what is available, where to get more, and the gauge", () => {
    const ledger = openBooks({ upgradeUrl: "https://example.com/up", allowanceOverrideMicros: 0 });
    expect(ledger.start(start())).toMatchObject({
      refusal: { code: "credits_exhausted", availableMicros: 0 },
      upgradeUrl: "https://example.com/up",
      gauge: { availableMicros: 0, cycle: { endsAtMs: at("2026-04-01T00:00:00.000Z") } },
    });
  });

  it("releases a hold in the millisecond of its expiry", () => {
    const ledger = openBooks();
    ledger.start(start({ holdMicros: 1_000, holdTtlMs: HOUR_MS }));
    ledger.moveClock(NOON + HOUR_MS - 1);
    expect(codeOf(ledger.start(start({ run: "r2" })))).toBe("credits_exhausted");
    ledger.moveClock(NOON + HOUR_MS);
    expect(codeOf(ledger.start(start({ run: "r2" })))).toBe("none");
    expect(granted(ledger.start(start())).hold).toBeNull();
  });
});
