// Grants: added once, voided as far as they remain, and shown with their state (rule R3).
import { describe, expect, it } from "vitest";
import type { Grant } from "../../../src/ledger/books.ts";
import { eachGrant } from "../../../src/ledger/grant-list.ts";
import { decideGrant, decideVoid, summarizeGrant } from "../../../src/ledger/grants.ts";
import {
  APRIL,
  books,
  codeOf,
  debit,
  grant,
  granted,
  grantRequest,
  HOUR_MS,
  MARCH,
  NOON,
  openBooks,
  openByClock,
  report,
} from "../../support/books.ts";

const give = (request = grantRequest("g1", 100), to = books(), known: ReturnType<typeof grant> | null = null) =>
  decideGrant(to, known, request, NOON);

describe("a grant", () => {
  it("is added to the books, undrawn, in the order of drawing", () => {
    const kept = books({ grants: [grant("late", { expiresAtMs: APRIL }), grant("never", { seq: 3 })] });
    const { books: after, created } = granted(give(grantRequest("soon", 70, { expiresAtMs: APRIL - 1 }), kept));
    expect(created).toBe(true);
    expect(after.seq).toBe(11);
    expect([...eachGrant(after.grants)].map((one) => one.id)).toEqual(["soon", "late", "never"]);
    expect([...eachGrant(after.grants)][0]).toEqual({
      id: "soon",
      amountMicros: 70,
      drawnMicros: 0,
      expiredMicros: 0,
      voidedMicros: 0,
      source: "promotion",
      note: null,
      grantedAtMs: NOON,
      expiresAtMs: APRIL - 1,
      voided: false,
      seq: 11,
    });
  });

  it("that is added again with the same content changes nothing", () => {
    const kept = books();
    const known = grant("g1", { drawnMicros: 40 });
    expect(give(grantRequest("g1", 100), kept, known)).toEqual({ books: kept, grant: known, created: false });
  });

  it("that is added again after it has expired is still known", () => {
    const known = grant("g1", { expiresAtMs: NOON - 1, expiredMicros: 100 });
    expect(granted(give(grantRequest("g1", 100, { expiresAtMs: NOON - 1 }), books(), known)).created).toBe(false);
  });

  it.each([
    ["amount", { amountMicros: 101 }],
    ["source", { source: "goodwill" as const }],
    ["note", { note: "for you" }],
    ["expiry", { expiresAtMs: APRIL }],
  ])("with the same id and another %s is a conflict", (_, over) => {
    expect(give({ ...grantRequest("g1", 100), ...over }, books(), grant("g1"))).toEqual({
      refusal: { code: "grant_conflict", id: "g1" },
    });
  });

  it("that has expired, or would expire at once, is refused", () => {
    expect(give(grantRequest("g1", 100, { expiresAtMs: NOON }))).toMatchObject({
      refusal: { code: "validation_failed", errors: [{ path: "expires_at" }] },
    });
    expect(codeOf(give(grantRequest("g1", 100, { expiresAtMs: NOON + 1 })))).toBe("none");
  });

  it("that would raise the total above 2^53−1 is refused", () => {
    const most = Number.MAX_SAFE_INTEGER - 1_000;
    expect(codeOf(give(grantRequest("g1", most)))).toBe("none");
    expect(give(grantRequest("g1", most + 1))).toMatchObject({
      refusal: { code: "validation_failed", errors: [{ path: "amount_micros" }] },
    });
  });
});

describe("the 10,001st open grant", () => {
  const many = Array.from({ length: 10_000 }, (_, n) => grant(`many${n}`, { seq: n, expiresAtMs: APRIL }));

  it("is refused, and a grant that is known is not", () => {
    expect(give(grantRequest("g1", 1), books({ grants: many }))).toEqual({ refusal: { code: "too_many_grants" } });
    expect(granted(give(grantRequest("g1", 100), books({ grants: many }), grant("g1"))).created).toBe(false);
  });

  it("is added once one of the others is used up or has ended", () => {
    const [first, ...others] = many as [Grant, ...Grant[]];
    for (const over of [{ drawnMicros: 100 }, { expiresAtMs: NOON }]) {
      const kept = books({ grants: [...others, { ...first, ...over }] });
      expect(granted(give(grantRequest("g1", 1), kept)).created).toBe(true);
    }
  });
});

describe("voiding", () => {
  it("removes what remains and keeps what was drawn", () => {
    const known = grant("g1", { drawnMicros: 30 });
    const { books: after, voidedMicros } = decideVoid(books({ grants: [known] }), known);
    expect(voidedMicros).toBe(70);
    expect([...eachGrant(after.grants)][0]).toMatchObject({ drawnMicros: 30, voidedMicros: 70, voided: true });
    expect(after.seq).toBe(11);
  });

  it("does nothing to a grant that has expired or was voided before", () => {
    const ledger = openBooks();
    ledger.addGrant(grantRequest("ended", 100, { expiresAtMs: NOON + HOUR_MS }), "operator");
    ledger.addGrant(grantRequest("voided", 100), "operator");
    ledger.voidGrant("voided", "operator");
    ledger.moveClock(NOON + HOUR_MS);
    const { seq } = ledger.gauge();
    expect(ledger.voidGrant("ended", "operator")).toMatchObject({ state: "expired", remainingMicros: 0 });
    expect(ledger.voidGrant("voided", "operator")).toMatchObject({ state: "voided", remainingMicros: 0 });
    expect(ledger.gauge().seq).toBe(seq);
  });
});

describe("the view of a grant", () => {
  const state = (over: Parameters<typeof grant>[1]) => summarizeGrant(grant("g1", over), NOON).state;

  it("shows the state: active, used, expired or voided", () => {
    expect(state({})).toBe("active");
    expect(state({ drawnMicros: 99 })).toBe("active");
    expect(state({ drawnMicros: 100 })).toBe("used");
    expect(state({ drawnMicros: 100, expiresAtMs: NOON - 1 })).toBe("used");
    expect(state({ drawnMicros: 40, expiredMicros: 60, expiresAtMs: NOON })).toBe("expired");
    expect(state({ drawnMicros: 40, voidedMicros: 60, voided: true })).toBe("voided");
  });

  it("has everything that readers get", () => {
    expect(summarizeGrant(grant("g1", { drawnMicros: 40, expiresAtMs: APRIL, note: "hello" }), NOON)).toEqual({
      id: "g1",
      amountMicros: 100,
      drawnMicros: 40,
      remainingMicros: 60,
      source: "promotion",
      note: "hello",
      grantedAtMs: MARCH,
      expiresAtMs: APRIL,
      state: "active",
    });
  });
});

describe("in the books", () => {
  it("new credit pays debt first, which counts as drawn", () => {
    const ledger = openBooks();
    debit(ledger, report(1_300));
    expect(ledger.gauge()).toMatchObject({ debtMicros: 300, usedMicros: 1_300, totalMicros: 1_000 });
    const { grant: given } = granted(ledger.addGrant(grantRequest("g1", 500), "operator"));
    expect(given).toMatchObject({ drawnMicros: 300, remainingMicros: 200, state: "active" });
    expect(ledger.gauge()).toMatchObject({
      debtMicros: 0,
      usedMicros: 1_300,
      totalMicros: 1_500,
      remainingMicros: 200,
      bonus: { usedMicros: 300 },
    });
    expect(ledger.store.loadMeters(["r1"])[0]?.draws.map((draw) => [draw.bucket, draw.grantId, draw.micros])).toEqual([
      ["monthly", null, 1_000],
      ["grant", "g1", 300],
    ]);
  });

  it("the journal says how much debt a grant has paid", () => {
    const ledger = openBooks();
    debit(ledger, report(1_300));
    ledger.addGrant(grantRequest("g1", 200), "operator");
    const last = ledger.store.loadEntryPage(Number.MAX_SAFE_INTEGER, 1)[0];
    expect(last).toMatchObject({
      seq: ledger.gauge().seq,
      by: "operator",
      facts: { type: "grant_added", grant: "g1", amountMicros: 200, debtPaidMicros: 200 },
    });
  });

  it("a grant that was used up long ago is still found by a void and by a retry", () => {
    const ledger = openBooks();
    ledger.addGrant(grantRequest("g1", 100), "operator");
    debit(ledger, report(1_100));
    debit(ledger, report(1, { run: "r2" }));
    expect(granted(ledger.addGrant(grantRequest("g1", 100), "operator"))).toMatchObject({
      created: false,
      grant: { state: "used" },
    });
    expect(codeOf(ledger.addGrant(grantRequest("g1", 101), "operator"))).toBe("grant_conflict");
    expect(granted(ledger.voidGrant("g1", "operator"))).toMatchObject({
      state: "voided",
      drawnMicros: 100,
      remainingMicros: 0,
    });
    expect(codeOf(ledger.voidGrant("g2", "operator"))).toBe("not_found");
  });

  it("nothing is refunded to a voided grant, even if it was used up when it was voided", () => {
    const ledger = openBooks();
    ledger.addGrant(grantRequest("g1", 100), "operator");
    debit(ledger, report(1_100));
    ledger.voidGrant("g1", "operator");
    debit(ledger, report(1_040, { final: true }));
    expect(ledger.store.loadGrants(["g1"])[0]).toMatchObject({ drawnMicros: 100 });
    expect(ledger.gauge()).toMatchObject({ usedMicros: 1_040, remainingMicros: 0, bonus: { usedMicros: 40 } });
  });

  it("a refund finds a grant that was used up", () => {
    const ledger = openBooks();
    ledger.addGrant(grantRequest("g1", 100), "operator");
    debit(ledger, report(1_100));
    expect(debit(ledger, report(1_040, { final: true }))).toMatchObject({ chargedMicros: -60, remainingMicros: 60 });
    expect(ledger.gauge()).toMatchObject({ bonus: { usedMicros: 40, remainingMicros: 60 } });
  });

  it("the credit that a refund frees pays the debt of other runs", () => {
    const ledger = openBooks();
    debit(ledger, report(1_000));
    debit(ledger, report(300, { run: "r2" }));
    expect(ledger.gauge().debtMicros).toBe(300);
    debit(ledger, report(800, { final: true }));
    expect(ledger.gauge()).toMatchObject({ usedMicros: 1_100, debtMicros: 100, remainingMicros: 0 });
    expect(ledger.store.loadMeters(["r2"])[0]?.draws.map((draw) => [draw.bucket, draw.micros])).toEqual([
      ["debt", 100],
      ["monthly", 200],
    ]);
  });

  it("new credit pays the debt of more meters than fit into one page", () => {
    const ledger = openBooks({ allowanceOverrideMicros: 0 });
    ledger.debit(Array.from({ length: 450 }, (_, i) => report(2, { run: `r${i}` })));
    expect(ledger.gauge().debtMicros).toBe(900);
    ledger.addGrant(grantRequest("g1", 899), "operator");
    expect(ledger.gauge()).toMatchObject({ debtMicros: 1, remainingMicros: 0, bonus: { usedMicros: 899 } });
  });

  it("a grant that is added in the instant in which another expires finds that one expired", () => {
    const ledger = openBooks({ allowanceOverrideMicros: 0 });
    ledger.addGrant(grantRequest("old", 100, { expiresAtMs: NOON + HOUR_MS }), "operator");
    ledger.moveClock(NOON + HOUR_MS);
    expect(
      granted(ledger.addGrant(grantRequest("old", 100, { expiresAtMs: NOON + HOUR_MS }), "operator")),
    ).toMatchObject({ created: false, grant: { state: "expired", remainingMicros: 0 } });
    expect(debit(ledger, report(5))).toMatchObject({ remainingMicros: 0, reason: "credits_exhausted" });
  });

  it("a grant that is added again in the instant of its expiry has expired", () => {
    const clock = { nowMs: NOON };
    const ledger = openByClock(clock);
    const request = grantRequest("g1", 100, { expiresAtMs: NOON + HOUR_MS });
    ledger.addGrant(request, "operator");
    clock.nowMs += HOUR_MS;
    expect(granted(ledger.addGrant(request, "operator"))).toMatchObject({
      created: false,
      grant: { state: "expired", remainingMicros: 0 },
    });
  });
});
