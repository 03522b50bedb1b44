// Very much that is due at once: holds and grants end in portions, and every answer between two portions is right.
import { expect, it } from "vitest";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import type { StartRequest } from "../../../src/ledger/admission.ts";
import { granted, grantRequest, MINUTE_MS, NOON, openByClock, report, start } from "../../support/books.ts";

const HOLDS = 12_000;
const CREDIT = 1_000_000;

function openWithHolds(unitCapMicros: number | null = null) {
  const clock = { nowMs: NOON };
  const ledger = openByClock(clock, {
    allowanceOverrideMicros: 2 * HOLDS * CREDIT,
    ...(unitCapMicros === null ? {} : { billingModel: "byom" as const }),
  });
  if (unitCapMicros !== null) ledger.setCap(unitCapMicros, "operator");
  const request = (i: number): StartRequest => start({ run: nameOf(i), holdMicros: CREDIT });
  for (let i = 0; i < HOLDS; i++) granted(ledger.start(request(i)));
  return { clock, ledger };
}

/** 128 characters: the longest id there is. */
const nameOf = (i: number) => `r${i}-`.padEnd(128, "x");

it.each([
  ["credits", null],
  ["byom", 2 * HOLDS * CREDIT],
] as const)("sets nothing aside from the instant in which %s holds expire, while they end in portions", (_, cap) => {
  const { clock, ledger } = openWithHolds(cap);
  const totalMicros = 2 * HOLDS * CREDIT;
  expect(ledger.gauge()).toMatchObject({ heldMicros: HOLDS * CREDIT, availableMicros: totalMicros - HOLDS * CREDIT });
  clock.nowMs += 15 * MINUTE_MS;
  let answers = 0;
  let slowestMs = 0;
  do {
    const startedMs = performance.now();
    expect(ledger.gauge()).toMatchObject({ heldMicros: 0, availableMicros: totalMicros });
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    answers += 1;
  } while (ledger.nextDueAtMs() <= clock.nowMs);
  expect(answers).toBe(HOLDS / 1_000);
  expect(slowestMs).toBeLessThan(1_000);
  expect(auditBooks(ledger).filter(({ ok }) => !ok)).toEqual([]);
});

it("treats a run whose expired hold waits for its portion as one without a hold", () => {
  const { clock, ledger } = openWithHolds();
  clock.nowMs += 15 * MINUTE_MS;
  const last = nameOf(HOLDS - 1);
  const [answer] = ledger.debit([report(5, { run: last, startedAtMs: NOON })]);
  expect(answer).toMatchObject({ chargedMicros: 5, availableMicros: 2 * HOLDS * CREDIT - 5 });
  const again = granted(ledger.start(start({ run: nameOf(HOLDS - 2), holdMicros: 7 })));
  expect(again.hold?.micros).toBe(7);
  while (ledger.nextDueAtMs() <= clock.nowMs) ledger.settle();
  expect(ledger.gauge()).toMatchObject({ heldMicros: 7, availableMicros: 2 * HOLDS * CREDIT - 12 });
  expect(auditBooks(ledger).filter(({ ok }) => !ok)).toEqual([]);
});

it("expires thousands of grants with long notes at one instant", () => {
  const clock = { nowMs: NOON };
  const ledger = openByClock(clock);
  const expiresAtMs = NOON + MINUTE_MS;
  for (let i = 0; i < 2_500; i++) {
    granted(ledger.addGrant(grantRequest(`g${i}`, 10, { note: "ü".repeat(1_000), expiresAtMs }), "operator"));
  }
  clock.nowMs = expiresAtMs;
  const startedMs = performance.now();
  expect(ledger.gauge().bonus).toMatchObject({ remainingMicros: 0 });
  expect(performance.now() - startedMs).toBeLessThan(1_000);
  expect(ledger.store.loadEntriesAfter(0, 10_000).filter(({ facts }) => facts.type === "grant_expired")).toHaveLength(
    2_500,
  );
  expect(auditBooks(ledger).filter(({ ok }) => !ok)).toEqual([]);
});
