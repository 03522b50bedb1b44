/**
 * A second implementation of the ledger, written from the contract alone: naive, in BigInt, without running sums. It
 * applies events and keeps draws, grants and holds; every balance is summed from them each time it is needed. It is slow
 * and meant to be obviously right. Its sums are in reference-books.ts, its meters in reference-meter.ts, and its view in
 * reference-view.ts.
 */
import { ReferenceBooks, type Run } from "./reference-books.ts";
import { atLeastZero, costOf, join, joins, type Meter, numberOrNull, percentOf } from "./reference-meter.ts";
import type { Answer, Event, ListPrice, ReportEvent, Unit } from "./story.ts";

const MINUTE_MS = 60_000;
const METER_RETENTION_MS = 35 * 86_400_000;
const DEFAULT_TTL_MS = 15 * MINUTE_MS;

export class World extends ReferenceBooks {
  apply(event: Event): Answer {
    const answer = this.decide(event);
    this.payDebt();
    return typeof answer === "function" ? answer() : answer;
  }

  private decide(event: Event): Answer | (() => Answer) {
    switch (event.type) {
      case "clock":
        return this.advance(event.toMs);
      case "report":
        return this.report(event);
      case "start":
        return this.start(event);
      case "release":
        this.holds.delete(event.run);
        return null;
      case "grant":
        return this.grant(event);
      case "void":
        return this.void(event.id);
      case "allowance": {
        const before = this.asked;
        this.asked = BigInt(event.micros);
        if (this.asked > this.allowance) this.allowance = this.asked;
        if (this.asked !== before) this.note("plan_changed", this.allowance);
        return null;
      }
      case "cap": {
        if (this.unit !== "usd") return "not_byom";
        const before = this.cap;
        this.cap = event.micros === null ? null : BigInt(event.micros);
        if (this.cap !== before) this.note("cap_changed", this.cap ?? -1n);
        return null;
      }
      case "billing": {
        const unit = event.model === "byom" ? "usd" : "credits";
        if (unit !== this.unit) this.note("billing_model_changed", 0n);
        this.unit = unit;
        return null;
      }
      case "suspend":
        this.suspended = event.suspended;
        return null;
      case "calendar":
        this.calendar = { timeZone: event.timeZone, anchorDay: event.anchorDay };
        return null;
    }
  }

  private report(event: ReportEvent): Answer | (() => Answer) {
    const run = this.runs.get(event.run) ?? { user: event.user, startedAtMs: event.startedAtMs };
    const meter = this.findMeter(event, run);
    const price = meter?.price ?? event.price;
    if (price === null) return "unknown_model";
    if (run.user !== event.user) return "run_attribution_conflict";
    const fault = meter === undefined ? this.startFault(run.startedAtMs, event.startedAtMs) : null;
    if (fault !== null) return fault;

    this.runs.set(event.run, run);
    const at = meter ?? this.openMeter(event, price);
    const before = { final: at.final, charged: this.charged(at) };
    if (meter === undefined || this.nowMs - at.lastMs >= MINUTE_MS || joins(at, event)) at.lastMs = this.nowMs;
    join(at, event);
    if (!at.names.includes(event.name)) at.names.push(event.name);
    const delta = costOf(at) - before.charged;
    if (delta < 0n) this.refund(at, -delta);
    else this.charge(at, delta);

    const allFinal = this.meters.every((other) => other.run !== event.run || other.final);
    const hold = this.holds.get(event.run);
    if (hold !== undefined) {
      if (hold.unit === at.unit && delta > 0n) hold.left = atLeastZero(hold.left - delta);
      hold.endsAtMs = this.nowMs + hold.ttlMs;
    }
    if (allFinal) this.holds.delete(event.run);
    if (allFinal && !before.final) {
      this.note("run_closed", this.runTotal(event.run, "credits") + this.runTotal(event.run, "usd"));
    }
    return () => this.answerReport(at, delta);
  }

  private answerReport(meter: Meter, delta: bigint): Answer {
    const { unit, run } = meter;
    const percent = percentOf(this.used(unit), this.total(unit));
    return {
      charged: Number(delta),
      runTotal: Number(this.runTotal(run, unit)),
      model: meter.model,
      unit,
      remaining: numberOrNull(this.remaining(unit)),
      available: numberOrNull(this.available(unit)),
      percent,
      action: this.action(run, unit),
    };
  }

  private action(run: string, unit: Unit): string {
    if (this.suspended) return "stop: enterprise_suspended";
    const hold = this.holds.get(run);
    const own = hold?.unit === unit ? hold : undefined;
    if (own !== undefined && own.left > 0n) return "continue";
    const total = this.total(unit);
    if (unit === "usd" && total !== null && this.used(unit) >= total) return "stop: spend_cap_reached";
    if (this.available(unit) === 0n) {
      if (own !== undefined) return "stop: hold_exhausted";
      return unit === "usd" ? "stop: spend_cap_reached" : "stop: credits_exhausted";
    }
    return total !== null && this.used(unit) * 100n >= total * 95n ? "wind_down" : "continue";
  }

  private start({ run, user, holdMicros, ttlMs }: Extract<Event, { type: "start" }>): Answer {
    const known = this.runs.get(run);
    const kept = this.meters.filter((meter) => meter.run === run && this.isKept(meter));
    const left = this.holds.get(run)?.unit === this.unit ? (this.holds.get(run)?.left ?? 0n) : 0n;
    const requested = BigInt(holdMicros ?? 0);
    if (known !== undefined) {
      if (known.user !== user) return "run_attribution_conflict";
      if (kept.length > 0 && kept.every((meter) => meter.final)) return "run_closed";
      if (kept.length === 0 && this.startFault(known.startedAtMs) !== null) return "run_too_old";
      if (requested <= left) return { created: false, hold: numberOrNull(this.holds.get(run)?.left ?? null) };
    } else if (this.suspended) return "enterprise_suspended";
    const available = this.available(this.unit);
    if (this.unit === "usd" && available !== null && (available === 0n || requested - left > available))
      return "spend_cap_reached";
    if (this.unit === "credits" && available === 0n) return "credits_exhausted";
    if (this.unit === "credits" && requested - left > (available ?? 0n)) return "insufficient_credits";
    if (known === undefined) this.runs.set(run, { user, startedAtMs: this.nowMs });
    if (requested > 0n) {
      const lasts = ttlMs ?? this.holds.get(run)?.ttlMs ?? DEFAULT_TTL_MS;
      this.holds.set(run, { unit: this.unit, left: requested, ttlMs: lasts, endsAtMs: this.nowMs + lasts });
    }
    return { created: known === undefined, hold: numberOrNull(this.holds.get(run)?.left ?? null) };
  }

  private grant({ id, amountMicros, expiresAtMs }: Extract<Event, { type: "grant" }>): Answer {
    const known = this.grants.find((grant) => grant.id === id);
    if (known !== undefined) {
      return known.amount === BigInt(amountMicros) && known.expiresAtMs === expiresAtMs ? "the same" : "grant_conflict";
    }
    if (expiresAtMs !== null && expiresAtMs <= this.nowMs) return "validation_failed";
    this.grants.push({
      id,
      amount: BigInt(amountMicros),
      expiresAtMs,
      grantedAtMs: this.nowMs,
      expired: 0n,
      voided: null,
    });
    this.note("grant_added", BigInt(amountMicros));
    return null;
  }

  private void(id: string): Answer {
    const grant = this.grants.find((candidate) => candidate.id === id);
    if (grant === undefined) return "not_found";
    if (!this.isUsable(grant)) return null;
    const left = this.leftOf(grant);
    grant.voided = left;
    this.note("grant_voided", left);
    return null;
  }

  // Meters and runs

  private findMeter({ run, name, model }: ReportEvent, { startedAtMs }: Run): Meter | undefined {
    const own = this.meters.filter((meter) => meter.run === run);
    const meter = own.find((m) => m.names.includes(name) || m.model === name) ?? own.find((m) => m.model === model);
    return meter !== undefined && this.isKept(meter, startedAtMs) ? meter : undefined;
  }

  /** Known for 35 days after the last report, and as long as its run could still count as a new one. */
  isKept({ lastMs, run }: Meter, startedAtMs = this.runs.get(run)?.startedAtMs ?? 0): boolean {
    return this.nowMs - Math.max(lastMs, startedAtMs) <= METER_RETENTION_MS;
  }

  private startFault(knownAtMs: number, saidAtMs = knownAtMs): string | null {
    if (this.nowMs - Math.min(knownAtMs, saidAtMs) > METER_RETENTION_MS) return "run_too_old";
    return knownAtMs - this.nowMs > 5 * MINUTE_MS ? "started_in_future" : null;
  }

  private openMeter({ run, model }: ReportEvent, price: ListPrice): Meter {
    const none = { input: 0, output: 0, cache_read: 0, cache_write: 0 };
    const meter: Meter = {
      run,
      model,
      names: [],
      unit: this.unit,
      price,
      tokens: none,
      final: false,
      firstMs: this.nowMs,
      lastMs: this.nowMs,
      draws: [],
    };
    this.meters.push(meter);
    return meter;
  }
}
