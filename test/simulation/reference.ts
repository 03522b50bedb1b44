/**
 * The reference model: the contract again, as simply as possible, without transactions, storage or speed. It says what
 * every call must answer and what the books must contain afterwards. Where it disagrees with the real ledger, one of the
 * two misunderstands the contract. This file is long because every rule changes the same books.
 */
import type { StartRequest } from "../../src/ledger/admission.ts";
import type { Settings } from "../../src/ledger/books.ts";
import type { Report } from "../../src/ledger/debit.ts";
import type { GrantRequest } from "../../src/ledger/grants.ts";
import type { Price } from "../../src/ledger/prices.ts";
import type { RareEvent } from "./rare-events.ts";
import { ReferenceBudgets } from "./reference-budgets.ts";
import {
  conflicts,
  costOf,
  findMeter,
  isKept,
  join,
  MAX_AMOUNT,
  maySilentRunEnd,
  newMeter,
  openRun,
  type ReferenceHold,
  type ReferenceMeter,
  type ReferenceRun,
  type ReferenceUnit,
  startFault,
  type Tokens,
  totalOf,
  USED_KINDS,
  used,
} from "./reference-meter.ts";
import { ReferenceMoney, type TurnSettings } from "./reference-money.ts";
import { ReferenceTotals } from "./reference-totals.ts";

export type Expected = {
  charged: number;
  runTotal: number;
  unit: ReferenceUnit;
  remaining: number | null;
  available: number | null;
  action: string;
  reason: string | null;
};

const TOUCH_MS = 60_000;
const HOLD_TTL_MS = 900_000;
const PLAN_CREDITS: Record<string, number> = { free: 500, pro: 5_000, team: 25_000, enterprise: 100_000 };

export class Reference {
  readonly money: ReferenceMoney;
  readonly totals = new ReferenceTotals();
  readonly budgets = new ReferenceBudgets(this);
  readonly runs = new Map<string, ReferenceRun>();
  readonly groups = new Map<string, string | null>();
  /** The meters that wait for a price, and their runs. */
  readonly unpriced = new Map<ReferenceMeter, ReferenceRun>();
  cap: number | null = null;

  constructor(
    public settings: Settings,
    nowMs: number,
    readonly count: (name: RareEvent) => void,
    /** Whether usage that nothing prices is kept. */
    readonly keepsUnpriced = false,
  ) {
    this.money = new ReferenceMoney(nowMs, turnSettings(settings), count);
  }

  get unit(): ReferenceUnit {
    return this.settings.billingModel === "byom" ? "usd" : "credits";
  }

  /** When time alone changes something next. */
  nextDueMs(): number {
    const ends = [...this.runs.values()].flatMap(({ hold }) => (hold === null ? [] : [hold.endsMs]));
    return Math.min(this.money.nextDueMs(), ...ends);
  }

  /** Does what time causes: expiries of grants, turns, ends of holds. */
  advance(nowMs: number): void {
    this.money.advance(nowMs, turnSettings(this.settings));
    for (const run of this.runs.values()) {
      if (run.hold === null || run.hold.endsMs > nowMs) continue;
      endHold(run, run.hold.endsMs);
      this.count("hold_expired");
    }
  }

  held(unit: ReferenceUnit): number {
    let sum = 0;
    for (const { hold } of this.runs.values()) if (hold?.unit === unit) sum += hold.left;
    return sum;
  }

  /** used, total, remaining and available, by unit. */
  balance(unit: ReferenceUnit, nowMs: number) {
    const { money, cap } = this;
    const held = this.held(unit);
    if (unit === "usd") {
      const used = money.taken("spend");
      const available = cap === null ? null : Math.max(0, cap - used - held);
      return { used, total: cap, remaining: cap === null ? null : Math.max(0, cap - used), held, available };
    }
    const bonus = money.bonusLeft(nowMs);
    const remaining = money.monthlyLeft + bonus;
    const used = money.taken("monthly") + money.taken("grant") + money.taken("debt");
    const total = money.cycle.allowance + money.taken("grant") + bonus;
    return { used, total, remaining, held, available: Math.max(0, remaining - money.taken("debt") - held) };
  }

  /** The price at which a meter that begins now is pinned. */
  pinned<T extends Price | null>(price: T): T {
    return price === null ? price : { ...price, multiplierMillionths: multiplierOf(this.settings) };
  }

  debit(report: Report, nowMs: number): Expected | string {
    const run = this.runs.get(report.run) ?? openRun(report);
    if (run === null) return "validation_failed";
    const meter = findMeter(run, report, nowMs);
    if (meter === undefined && report.price === null && !this.keepsUnpriced) return "unknown_model";
    if (conflicts(run, report)) return "run_attribution_conflict";
    const fault = startFault(run.startedMs, report.startedAtMs, nowMs);
    if (meter === undefined && fault !== null) return fault;
    const price = meter?.price ?? this.pinned(report.price);
    const next = meter ?? newMeter(report, price, this.unit, nowMs);
    const joined = join(meter, report);
    const delta = costOf(joined.tokens, price, next.unit) - costOf(next.tokens, next.price, next.unit);
    const used = this.balance(next.unit, nowMs).used;
    const ofRun = totalOf(run, next.unit);
    const cost = costOf(joined.tokens, price, next.unit);
    if (cost > MAX_AMOUNT || used + delta > MAX_AMOUNT || ofRun + delta > MAX_AMOUNT) return "charge_too_large";
    if (meter === undefined) {
      const isOther = ({ model, tier }: ReferenceMeter) => model !== next.model || tier !== next.tier;
      run.meters = [...run.meters.filter(isOther), next];
    }
    if (meter === undefined && price === null) {
      this.unpriced.set(next, run);
      this.count("usage_kept_without_a_price");
    }
    const isPricedNow = price !== next.price;
    if (isPricedNow) {
      this.count("waiting_usage_priced_by_a_report");
      this.unpriced.delete(next);
      Object.assign(next, { price, pricedMs: nowMs });
    }
    this.runs.set(report.run, run);
    return this.#accept(run, next, report, { ...joined, delta, touched: meter === undefined || isPricedNow }, nowMs);
  }

  /** How many meters wait for a price. */
  get waitingCount(): number {
    return this.unpriced.size;
  }

  /** Forgets a meter that has waited too long. */
  drop(meter: ReferenceMeter): void {
    meter.pruned = true;
    this.unpriced.delete(meter);
  }

  /** The meters that wait for a price, in the order in which they get one: by run, then by tier, `standard` first. */
  waiting(): { run: ReferenceRun; meter: ReferenceMeter }[] {
    const key = ({ tier }: ReferenceMeter) => (tier === "standard" ? "" : tier);
    const all = [...this.unpriced].map(([meter, run]) => ({ run, meter }));
    return all.sort((a, b) => (a.run === b.run ? less(key(a.meter), key(b.meter)) : less(a.run.run, b.run.run)));
  }

  /** Charges usage that has waited for a price (rule R13). The caller notes the entry. */
  price(run: ReferenceRun, meter: ReferenceMeter, found: Price, nowMs: number): void {
    const price = this.pinned(found);
    const micros = costOf(meter.tokens, price, meter.unit);
    this.unpriced.delete(meter);
    Object.assign(meter, { price, pricedMs: nowMs });
    this.count("waiting_usage_priced");
    this.money.charge(meter, micros, meter.unit, nowMs);
    this.budgets.charge(run, meter.unit, micros, micros, nowMs);
    this.#spendHold(run, meter, micros, nowMs);
    this.money.payDebt(nowMs);
    const { unit, model, tier } = meter;
    const charged = { unit, model, tier, grown: used(), micros, ofCycle: micros, first: false };
    this.totals.add(run, { ...charged, cycle: this.money.cycle, nowMs });
  }

  start(request: StartRequest, nowMs: number): string {
    const known = this.runs.get(request.run);
    const expected = request.holdMicros ?? 0;
    if (known === undefined) {
      const startedMs = request.startedAtMs ?? nowMs;
      const fault = startFault(startedMs, startedMs, nowMs);
      if (fault !== null) return fault;
      if (this.settings.suspended) return "enterprise_suspended";
      const run = openRun({ ...request, startedAtMs: startedMs }) as ReferenceRun;
      run.group = request.group ?? null;
      const lack = this.#lack(run, 0, expected, nowMs);
      if (lack !== null) return lack;
      this.runs.set(request.run, run);
      if (expected > 0) run.hold = holdOf(this.unit, expected, request.holdTtlMs ?? HOLD_TTL_MS, nowMs);
      return "created";
    }
    if (conflicts(known, request)) return "run_attribution_conflict";
    const kept = known.meters.filter((meter) => isKept(meter, known, nowMs));
    if (kept.length > 0 && kept.every((meter) => meter.final)) return "run_closed";
    const fault = startFault(known.startedMs, request.startedAtMs, nowMs);
    if (kept.length === 0 && fault !== null) return fault;
    const left = known.hold?.unit === this.unit ? known.hold.left : 0;
    if (request.holdMicros === null || expected <= left) return "known";
    const lack = this.#lack(known, left, expected, nowMs);
    if (lack !== null) return lack;
    this.count("hold_raised");
    known.hold = holdOf(this.unit, expected, request.holdTtlMs ?? known.hold?.ttlMs ?? HOLD_TTL_MS, nowMs);
    return "known";
  }

  release(name: string, nowMs: number): void {
    const run = this.runs.get(name);
    if (run !== undefined) endHold(run, nowMs);
  }

  /** Forgets the runs that never reported, are 35 days old, and were deleted by the ledger. */
  forgetSilentRuns(nowMs: number, isStored: (run: string) => boolean): void {
    for (const run of this.runs.values()) {
      if (!maySilentRunEnd(run, nowMs) || isStored(run.run)) continue;
      this.runs.delete(run.run);
      this.count("run_forgotten");
    }
  }

  addGrant(request: GrantRequest, nowMs: number): "created" | "known" | "grant_conflict" | "validation_failed" {
    const known = this.money.grants.find(({ id }) => id === request.id);
    if (known !== undefined) {
      const same =
        known.amount === request.amountMicros &&
        known.source === request.source &&
        known.note === request.note &&
        known.expiresMs === request.expiresAtMs;
      return same ? "known" : "grant_conflict";
    }
    if (request.expiresAtMs !== null && request.expiresAtMs <= nowMs) return "validation_failed";
    const { id, amountMicros: amount, source, note, expiresAtMs: expiresMs } = request;
    this.money.addGrant({ id, amount, source, note, expiresMs }, nowMs);
    this.money.payDebt(nowMs);
    return "created";
  }

  changeSettings(patch: Partial<Settings>, nowMs: number): void {
    const before = turnSettings(this.settings).allowance;
    const { plan, billingModel } = this.settings;
    const multiplier = multiplierOf(this.settings);
    this.settings = { ...this.settings, ...patch };
    if (multiplierOf(this.settings) !== multiplier) {
      this.money.note("price_changed", 0);
      this.count("multiplier_changed");
    }
    const { allowance } = turnSettings(this.settings);
    if (this.settings.billingModel !== billingModel) this.money.note("billing_model_changed", 0);
    if (this.settings.plan !== plan || allowance !== before) this.money.note("plan_changed", 0);
    this.money.cycle.allowance = Math.max(this.money.cycle.allowance, allowance);
    if (allowance !== before) this.money.payDebt(nowMs);
  }

  setCap(cap: number | null): "set" | "not_byom" {
    if (this.unit !== "usd") return "not_byom";
    if (cap !== this.cap) this.money.note("cap_changed", 0);
    this.cap = cap;
    return "set";
  }

  #accept(
    run: ReferenceRun,
    meter: ReferenceMeter,
    report: Report,
    {
      tokens,
      final,
      estimated,
      delta,
      touched,
    }: { tokens: Tokens; final: boolean; estimated: boolean; delta: number; touched: boolean },
    nowMs: number,
  ): Expected {
    const closes = final && !meter.final && run.meters.every((other) => other === meter || other.final);
    const first = !run.reported;
    if (first) {
      run.reported = true;
      run.group = report.group ?? run.group ?? this.groups.get(run.workspace) ?? "none";
    }
    // To the minute: many duplicates need not be stored one by one.
    const moved =
      JSON.stringify([tokens, final, estimated]) !== JSON.stringify([meter.tokens, meter.final, meter.estimated]);
    const { aliases } = meter;
    const named = aliases.has(report.reportedAs) || (aliases.size === 0 && report.reportedAs === meter.model);
    if (touched || moved || !named || nowMs - meter.lastReportMs >= TOUCH_MS) meter.lastReportMs = nowMs;
    // The receipt shows the names of a meter only if there is one besides its id, and then the id too.
    if (!named) meter.aliases = new Set([...(aliases.size === 0 ? [meter.model] : aliases), report.reportedAs]);
    const grown = used();
    for (const kind of USED_KINDS) grown[kind] = tokens[kind] - meter.tokens[kind];
    if (meter.final && meter.estimated && !estimated) this.count("estimated_final_replaced");
    Object.assign(meter, { tokens, final, estimated });
    let [ofCycle, ofDay] = [delta, delta];
    if (delta < 0) {
      const refunded = this.money.refund(meter, -delta, nowMs);
      [ofCycle, ofDay] = [-refunded.ofCycle, -refunded.ofDay];
    } else this.money.charge(meter, delta, meter.unit, nowMs);
    this.budgets.charge(run, meter.unit, ofCycle, ofDay, nowMs);
    this.#spendHold(run, meter, delta, nowMs);
    if (this.money.payDebt(nowMs) > 0 && delta < 0) this.count("debt_paid_by_a_refund");
    if (closes && run.closed) this.count("run_closed_again");
    if (closes) run.closed = true;
    if (closes) this.money.note("run_closed", totalOf(run, "credits") + totalOf(run, "usd"));
    const charged = { unit: meter.unit, model: meter.model, tier: meter.tier, grown, micros: delta, ofCycle, first };
    this.totals.add(run, { ...charged, cycle: this.money.cycle, nowMs });
    const { remaining, available } = this.balance(meter.unit, nowMs);
    const answer = { charged: delta, runTotal: totalOf(run, meter.unit), unit: meter.unit, remaining, available };
    return { ...answer, ...this.#action(run, meter.unit, nowMs) };
  }

  /** Takes a charge from the run's hold. The hold ends with the last open meter. */
  #spendHold(run: ReferenceRun, { unit }: ReferenceMeter, micros: number, nowMs: number): void {
    if (run.hold !== null) {
      if (run.hold.unit === unit) run.hold.left -= Math.min(run.hold.left, Math.max(0, micros));
      run.hold.endsMs = nowMs + run.hold.ttlMs;
    }
    if (run.meters.every((other) => other.final)) endHold(run, nowMs);
  }

  #action(run: ReferenceRun, unit: ReferenceUnit, nowMs: number): { action: string; reason: string | null } {
    const { used, total, available } = this.balance(unit, nowMs);
    if (this.settings.suspended) return { action: "stop", reason: "enterprise_suspended" };
    if (run.hold?.unit === unit && run.hold.left > 0) return { action: "continue", reason: null };
    if (unit === "usd" && total !== null && used >= total) return { action: "stop", reason: "spend_cap_reached" };
    if (available === 0 && run.hold?.unit === unit) return { action: "stop", reason: "hold_exhausted" };
    if (available === 0) return { action: "stop", reason: unit === "usd" ? "spend_cap_reached" : "credits_exhausted" };
    const asked = this.budgets.action(run, nowMs);
    if (asked === "stop") {
      this.count("budget_stopped_a_run");
      return { action: "stop", reason: "budget_exhausted" };
    }
    const late = total !== null && total > 0 && BigInt(used) * 100n >= BigInt(total) * 95n;
    return { action: late || asked === "wind_down" ? "wind_down" : "continue", reason: null };
  }

  #lack(run: ReferenceRun, left: number, expected: number, nowMs: number): string | null {
    const more = expected - left;
    const ofBalance = this.#lackOfBalance(more, nowMs);
    if (ofBalance !== null) return ofBalance;
    return this.budgets.lacks(run, more, nowMs) ? "budget_exhausted" : null;
  }

  #lackOfBalance(more: number, nowMs: number): string | null {
    const { available } = this.balance(this.unit, nowMs);
    if (available === null) return null;
    if (this.unit === "usd") return available > 0 && more <= available ? null : "spend_cap_reached";
    if (available === 0) return "credits_exhausted";
    return more > available ? "insufficient_credits" : null;
  }
}

function less(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function multiplierOf({ priceMultiplierMillionths }: Settings): number {
  return priceMultiplierMillionths ?? 1_000_000;
}

function turnSettings(settings: Settings): TurnSettings {
  const { timeZone: zone, anchorDay, plan, allowanceOverrideMicros } = settings;
  return { zone, anchorDay, allowance: allowanceOverrideMicros ?? (PLAN_CREDITS[plan] ?? 0) * 1_000_000 };
}

function endHold(run: ReferenceRun, endedMs: number): void {
  if (run.hold === null) return;
  run.hold = null;
  run.holdEndedMs = endedMs;
}

function holdOf(unit: ReferenceUnit, left: number, ttlMs: number, nowMs: number): ReferenceHold {
  return { unit, left, ttlMs, endsMs: nowMs + ttlMs };
}
