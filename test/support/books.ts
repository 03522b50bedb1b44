/**
 * One plain value per noun of the ledger, for tests that override the one field that matters. Nothing in them is
 * special: March 2026 in UTC, an allowance of 1,000 micros, prices at which one token costs one micro of either unit.
 */
import { Ledger } from "../../src/enterprise/books/ledger.ts";
import type { StartRequest } from "../../src/ledger/admission.ts";
import type { Books, Cycle, Draw, Grant, Meter, Run, Settings } from "../../src/ledger/books.ts";
import { type Debit, type DebitAnswer, decideDebit, type Report } from "../../src/ledger/debit.ts";
import { listGrants } from "../../src/ledger/grant-list.ts";
import type { GrantRequest } from "../../src/ledger/grants.ts";
import { byKind } from "../../src/ledger/kinds.ts";
import { NO_MULTIPLIER, type Price, type Rates, resolveRates, type Usage } from "../../src/ledger/prices.ts";
import { isRefusal, type Refused } from "../../src/ledger/refusals.ts";
import { noneNotified } from "../../src/ledger/thresholds.ts";
import { meterKey, STANDARD_TIER } from "../../src/ledger/tiers.ts";
import { openSql } from "./node-sql.ts";

export const at = (iso: string) => Date.parse(iso);
export const MARCH = at("2026-03-01T00:00:00Z");
export const APRIL = at("2026-04-01T00:00:00Z");
export const NOON = at("2026-03-10T12:00:00Z");
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** One USD per million tokens is one micro a token; one credit per USD makes it one micro-credit too. */
const UNIT_RATES: Rates = resolveRates({ input: 1_000_000, output: 1_000_000 });
export const UNIT_PRICE: Price = {
  bookVersion: 1,
  creditsPerUsd: 1,
  multiplierMillionths: NO_MULTIPLIER,
  rates: UNIT_RATES,
};

export const tokens = (over: Usage = {}): Usage => ({ input: 0, output: 0, cache_read: 0, cache_write: 0, ...over });
export const rates = (over: Partial<Rates> = {}): Rates => ({
  ...byKind(() => 0),
  ...over,
});
export const price = (over: Partial<Price> = {}): Price => ({ ...UNIT_PRICE, ...over });

export function settings(over: Partial<Settings> = {}): Settings {
  return {
    name: "Acme",
    billingModel: "credits",
    plan: "pro",
    allowanceOverrideMicros: 1_000,
    timeZone: "UTC",
    anchorDay: 1,
    suspended: false,
    upgradeUrl: null,
    referralUrl: null,
    referralCode: "acme~12345678",
    webhookUrl: null,
    ...over,
  };
}

function cycle(over: Partial<Cycle> = {}): Cycle {
  return {
    startsAtMs: MARCH,
    endsAtMs: APRIL,
    timeZone: "UTC",
    allowanceMicros: 1_000,
    monthlyUsedMicros: 0,
    bonusUsedMicros: 0,
    debtMicros: 0,
    returnedMicros: 0,
    spendUsedMicros: 0,
    ...over,
  };
}

export function grant(id: string, over: Partial<Grant> = {}): Grant {
  return {
    id,
    amountMicros: 100,
    drawnMicros: 0,
    expiredMicros: 0,
    voidedMicros: 0,
    source: "promotion",
    note: null,
    grantedAtMs: MARCH,
    expiresAtMs: null,
    voided: false,
    seq: 2,
    ...over,
  };
}

type BooksOver = { settings?: Partial<Settings>; cycle?: Partial<Cycle>; grants?: readonly Grant[] } & Partial<
  Omit<Books, "settings" | "cycle" | "grants">
>;

export function books(over: BooksOver = {}): Books {
  return {
    notified: noneNotified(MARCH, "credits"),
    held: { credits: 0, usd: 0 },
    overdue: { credits: 0, usd: 0 },
    capMicros: null,
    seq: 10,
    ...over,
    settings: settings(over.settings),
    cycle: cycle(over.cycle),
    grants: listGrants(over.grants ?? []),
  };
}

export const byomBooks = (over: BooksOver = {}): Books =>
  books({ ...over, settings: { billingModel: "byom", ...over.settings } });

export function run(over: Partial<Run> = {}): Run {
  return {
    run: "r1",
    surface: "web",
    workspace: "w1",
    user: "u1",
    group: "none",
    startedAtMs: NOON,
    reported: true,
    hold: null,
    ...over,
  };
}

export function meter(over: Partial<Meter> = {}): Meter {
  return {
    run: "r1",
    key: meterKey(over.model ?? "m1", over.tier ?? STANDARD_TIER),
    model: "m1",
    tier: STANDARD_TIER,
    reportedAs: [],
    unit: "credits",
    price: UNIT_PRICE,
    usage: tokens(),
    chargedMicros: 0,
    final: false,
    estimated: false,
    draws: [],
    firstReportAtMs: NOON,
    lastReportAtMs: NOON,
    pricedAtMs: null,
    ...over,
  };
}

/** A report of `input` tokens, which cost as many micros. */
export function report(input: number, over: Partial<Report> = {}): Report {
  return {
    run: "r1",
    model: "m1",
    reportedAs: over.model ?? "m1",
    tier: STANDARD_TIER,
    price: UNIT_PRICE,
    usage: tokens({ input }),
    final: false,
    estimated: false,
    surface: "web",
    workspace: "w1",
    user: "u1",
    startedAtMs: NOON,
    ...over,
  };
}

export function start(over: Partial<StartRequest> = {}): StartRequest {
  return {
    run: "r1",
    surface: "web",
    workspace: "w1",
    user: "u1",
    startedAtMs: undefined,
    holdMicros: null,
    holdTtlMs: null,
    ...over,
  };
}

export function grantRequest(id: string, amountMicros: number, over: Partial<GrantRequest> = {}): GrantRequest {
  return { id, amountMicros, source: "promotion", note: null, expiresAtMs: null, ...over };
}

/** A draw of 10 March, and one on a grant. */
export const draw = (bucket: Draw["bucket"], micros: number, over: Partial<Draw> = {}): Draw => ({
  bucket,
  grantId: null,
  cycleStartsAtMs: MARCH,
  micros,
  lapsedMicros: 0,
  dayStartsAtMs: at("2026-03-10T00:00:00Z"),
  ...over,
});
export const grantDraw = (grantId: string, micros: number, over: Partial<Draw> = {}) =>
  draw("grant", micros, { grantId, ...over });

/** What stands before a report comes, where it is not the base. */
export type Known = { books?: Books; run?: Run | null; meters?: Meter[]; nowMs?: number; group?: string | null };

export function decideReport(sent: Report, known: Known = {}): Debit | Refused {
  const { books: kept = books(), run: of = null, meters = [], nowMs = NOON, group = null } = known;
  return decideDebit({ books: kept, run: of, meters }, sent, nowMs, () => group);
}

/** The real ledger of a new enterprise, in memory, with a clock that always shows `atMs`. */
export function openBooks(over: Partial<Settings> = {}, atMs = NOON): Ledger {
  const ledger = new Ledger(openSql(), () => atMs);
  ledger.create("acme", settings(over), atMs);
  return ledger;
}

/** The same by a real clock, which is whatever `clock` says. */
export function openByClock(clock: { nowMs: number }, over: Partial<Settings> = {}): Ledger {
  const ledger = new Ledger(openSql(), () => clock.nowMs);
  ledger.create("acme", settings(over), null);
  return ledger;
}

/** The answer to one report that must be accepted. */
export function debit(ledger: Ledger, sent: Report): DebitAnswer {
  return granted(ledger.debit([sent])[0] as DebitAnswer | Refused);
}

/** The answer itself; throws the code of a refusal. */
export function granted<T extends object>(answer: T): Exclude<T, { refusal: object }> {
  const refused = answer as T | Refused;
  if (isRefusal(refused)) throw new Error(`refused: ${refused.refusal.code}`);
  return answer as Exclude<T, { refusal: object }>;
}

/** The code of a refusal; "none" where there is an answer. */
export function codeOf(answer: object | Refused): string {
  return isRefusal(answer) ? answer.refusal.code : "none";
}
