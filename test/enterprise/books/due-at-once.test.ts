// Very much that is due at once: holds and grants end in portions, and every answer between two portions is right.
import process from "node:process";
import { expect, it } from "vitest";
import { Ledger } from "../../../src/enterprise/books/ledger.ts";
import type { Sql } from "../../../src/enterprise/books/sql.ts";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import type { StartRequest } from "../../../src/ledger/admission.ts";
import type { Grant } from "../../../src/ledger/books.ts";
import { summarizeGrant } from "../../../src/ledger/grants.ts";
import {
  APRIL,
  debit,
  granted,
  grantRequest,
  MINUTE_MS,
  NOON,
  openByClock,
  report,
  settings,
  start,
} from "../../support/books.ts";
import { openSql } from "../../support/node-sql.ts";

const HOLDS = 6_000;
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

/** The CPU time since then. Unlike the time of day, it does not depend on what else the machine does. */
function computedMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
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
    const before = process.cpuUsage();
    expect(ledger.gauge()).toMatchObject({ heldMicros: 0, availableMicros: totalMicros });
    slowestMs = Math.max(slowestMs, computedMs(before));
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

it("sums the holds of a large backlog in portions, each hold once, and then answers exactly", () => {
  const { clock, ledger } = openWithHolds();
  const { expired } = ledger.store;
  expired.maxHolds = 2_500;
  clock.nowMs += 15 * MINUTE_MS;
  // Each of these calls sums one portion.
  expect(() => ledger.gauge()).toThrow("LedgerBusy");
  expect(() => ledger.debit([report(5, { run: "r" })])).toThrow("LedgerBusy");
  expect(ledger.gauge()).toMatchObject({ heldMicros: 0, usedMicros: 0, availableMicros: 2 * HOLDS * CREDIT });
  const [answer] = ledger.debit([report(5, { run: nameOf(HOLDS - 1), startedAtMs: NOON })]);
  expect(answer).toMatchObject({ chargedMicros: 5, availableMicros: 2 * HOLDS * CREDIT - 5 });
  // Holds that expire later are added to what is left of the others.
  granted(ledger.start(start({ run: "later", holdMicros: 7, holdTtlMs: 1_000 })));
  clock.nowMs += 1_000;
  while (ledger.nextDueAtMs() <= clock.nowMs) {
    expect(ledger.gauge()).toMatchObject({ heldMicros: 0, availableMicros: 2 * HOLDS * CREDIT - 5 });
  }
  expect(expired.total(clock.nowMs)).toEqual({ credits: 0, usd: 0 });
  expect(auditBooks(ledger).filter(({ ok }) => !ok)).toEqual([]);
});

it("sums expired holds again when the clock has gone back", () => {
  const { clock, ledger } = openWithHolds();
  const { expired } = ledger.store;
  clock.nowMs += 15 * MINUTE_MS;
  expect(expired.total(clock.nowMs).credits).toBe(HOLDS * CREDIT);
  clock.nowMs -= MINUTE_MS;
  granted(ledger.start(start({ run: "short", holdMicros: 7, holdTtlMs: 1_000 })));
  clock.nowMs += MINUTE_MS;
  expect(ledger.gauge()).toMatchObject({ heldMicros: 0, availableMicros: 2 * HOLDS * CREDIT });
});

/** A ledger with 10,000 grants with long notes that end at one instant. */
function openWithGrants(expiresAtMs: number) {
  const clock = { nowMs: NOON };
  const ledger = openByClock(clock);
  ledger.sql.transaction(() => {
    for (let i = 0; i < 10_000; i++) {
      granted(ledger.addGrant(grantRequest(`g${i}`, 10, { note: "ü".repeat(1_000), expiresAtMs }), "operator"));
    }
  });
  return { clock, ledger };
}

it("expires 10,000 grants with long notes at one instant, in portions", () => {
  const expiresAtMs = NOON + MINUTE_MS;
  const { clock, ledger } = openWithGrants(expiresAtMs);
  clock.nowMs = expiresAtMs;
  let portions = 0;
  do {
    const before = process.cpuUsage();
    expect(ledger.gauge().bonus).toEqual({ usedMicros: 0, remainingMicros: 0, nextExpiry: null });
    expect(computedMs(before)).toBeLessThan(1_000);
    portions += 1;
    const last = ledger.store.loadGrants(["g9999"])[0];
    expect(summarizeGrant(last as Grant, clock.nowMs)).toMatchObject({ state: "expired", remainingMicros: 0 });
  } while (ledger.nextDueAtMs() <= clock.nowMs);
  expect(portions).toBe(10);
  const entries = ledger.store.loadEntriesAfter(0, 30_000).filter(({ facts }) => facts.type === "grant_expired");
  expect(entries).toHaveLength(10_000);
  expect(entries.every(({ atMs }) => atMs === expiresAtMs)).toBe(true);
  expect(auditBooks(ledger).filter(({ ok }) => !ok)).toEqual([]);
});

it("turns the cycle on time while ended grants wait for their portion, which nothing draws on", () => {
  const { clock, ledger } = openWithGrants(APRIL);
  clock.nowMs = APRIL;
  expect(debit(ledger, report(1_500, { startedAtMs: APRIL }))).toMatchObject({ availableMicros: 0 });
  expect(ledger.gauge()).toMatchObject({ cycle: { startsAtMs: APRIL }, debtMicros: 500 });
  while (ledger.nextDueAtMs() <= clock.nowMs) ledger.settle();
  expect(ledger.gauge()).toMatchObject({ debtMicros: 500, bonus: { usedMicros: 0, remainingMicros: 0 } });
  expect(auditBooks(ledger).filter(({ ok }) => !ok)).toEqual([]);
});

it("still reads the right gauge when nothing can be stored, and stores nothing", () => {
  const clock = { nowMs: NOON };
  let full = false;
  const sql = openSql();
  const filled: Sql = {
    ...sql,
    run: (statement, ...params) => {
      if (full) throw new Error("database or disk is full: SQLITE_FULL");
      sql.run(statement, ...params);
    },
  };
  const ledger = new Ledger(filled, () => clock.nowMs);
  ledger.create("acme", settings(), null);
  granted(ledger.addGrant(grantRequest("g1", 500, { expiresAtMs: APRIL }), "operator"));
  granted(ledger.start(start({ holdMicros: 100 })));
  debit(ledger, report(1_200, { run: "r2" }));
  full = true;
  clock.nowMs = APRIL;
  for (let read = 0; read < 2; read++) {
    expect(ledger.gauge()).toMatchObject({ cycle: { startsAtMs: APRIL }, availableMicros: 1_000, heldMicros: 0 });
  }
  expect(() => debit(ledger, report(1, { run: "r3", startedAtMs: APRIL }))).toThrow("SQLITE_FULL");
  full = false;
  expect(debit(ledger, report(1, { run: "r3", startedAtMs: APRIL }))).toMatchObject({ availableMicros: 999 });
  expect(auditBooks(ledger).filter(({ ok }) => !ok)).toEqual([]);
});
