/**
 * The books of the reference model: meters and grants, every balance summed from the draws, and what moves money:
 * charges, refunds, payments of debt, and time, which goes from one due instant to the next.
 */
import { cycleHolding, nextAnchor } from "../../support/reference-calendar.ts";
import { atLeastZero, type Draw, type Meter, smaller, sum } from "./reference-meter.ts";
import type { Opening, Unit } from "./story.ts";

const DAY_MS = 86_400_000;

type Grant = {
  id: string;
  amount: bigint;
  expiresAtMs: number | null;
  grantedAtMs: number;
  expired: bigint;
  voided: bigint | null;
};
export type Run = { user: string; startedAtMs: number };
type Hold = { unit: Unit; left: bigint; ttlMs: number; endsAtMs: number };

export class ReferenceBooks {
  nowMs: number;
  unit: Unit;
  suspended = false;
  cap: bigint | null = null;
  cycle: { startsAtMs: number; endsAtMs: number };
  /** The highest allowance that was in force in this cycle, and that of the settings. */
  allowance: bigint;
  asked: bigint;
  calendar: { timeZone: string; anchorDay: number };
  readonly runs = new Map<string, Run>();
  readonly holds = new Map<string, Hold>();
  readonly meters: Meter[] = [];
  /** In order of arrival. */
  readonly grants: Grant[] = [];
  readonly entries: { type: string; atMs: number; micros: bigint }[] = [];

  constructor({ atMs, billingModel, allowanceMicros, timeZone, anchorDay }: Opening) {
    this.nowMs = atMs;
    this.unit = billingModel === "byom" ? "usd" : "credits";
    this.calendar = { timeZone, anchorDay };
    this.cycle = cycleHolding(atMs, timeZone, anchorDay);
    this.allowance = this.asked = BigInt(allowanceMicros);
    this.note("cycle_started", this.allowance);
  }

  // Sums, each over all draws

  draws = () => this.meters.flatMap((meter) => meter.draws);
  inCycle = (bucket: Draw["bucket"]) =>
    sum(this.draws().filter((draw) => draw.bucket === bucket && draw.cycle === this.cycle.startsAtMs));
  drawnOn = ({ id }: Grant) =>
    this.draws().reduce((total, draw) => (draw.grant === id ? total + draw.micros + draw.lapsed : total), 0n);
  leftOf = (grant: Grant) => grant.amount - this.drawnOn(grant) - grant.expired - (grant.voided ?? 0n);
  isUsable = ({ voided, expiresAtMs }: Grant) => voided === null && (expiresAtMs === null || this.nowMs < expiresAtMs);
  /** Soonest expiry first, those without expiry last, then the oldest, then the order of arrival. */
  usable = () =>
    this.grants
      .filter((grant) => this.isUsable(grant) && this.leftOf(grant) > 0n)
      .sort((a, b) => (a.expiresAtMs ?? 1e15) - (b.expiresAtMs ?? 1e15) || a.grantedAtMs - b.grantedAtMs);
  monthlyLeft = () => this.allowance - this.inCycle("monthly");
  bonusLeft = () => this.usable().reduce((total, grant) => total + this.leftOf(grant), 0n);
  held = (unit: Unit) =>
    [...this.holds.values()].reduce((total, hold) => (hold.unit === unit ? total + hold.left : total), 0n);
  charged = (meter: Meter) => sum(meter.draws);
  runTotal = (run: string, unit: Unit) =>
    this.meters.reduce((total, m) => (m.run === run && m.unit === unit ? total + this.charged(m) : total), 0n);

  used(unit: Unit): bigint {
    return unit === "usd"
      ? this.inCycle("spend")
      : this.inCycle("monthly") + this.inCycle("grant") + this.inCycle("debt");
  }

  total(unit: Unit): bigint | null {
    return unit === "usd" ? this.cap : this.allowance + this.inCycle("grant") + this.bonusLeft();
  }

  remaining(unit: Unit): bigint | null {
    if (unit === "credits") return this.monthlyLeft() + this.bonusLeft();
    return this.cap === null ? null : atLeastZero(this.cap - this.used("usd"));
  }

  available(unit: Unit): bigint | null {
    const remaining = this.remaining(unit);
    const owed = unit === "credits" ? this.inCycle("debt") : 0n;
    return remaining === null ? null : atLeastZero(remaining - owed - this.held(unit));
  }

  // Time

  /** Everything that is due on the way, in order; in one instant expiries first, then the turn. */
  advance(toMs: number): string | null {
    if (toMs < this.nowMs) return "clock_backwards";
    let turns = 0;
    for (;;) {
      const ending = this.grants.filter((grant) => (grant.expiresAtMs ?? 1e15) <= toMs && this.leftOf(grant) > 0n);
      const next = ending.sort(
        (a, b) => (a.expiresAtMs ?? 0) - (b.expiresAtMs ?? 0) || a.grantedAtMs - b.grantedAtMs,
      )[0];
      const turnMs = this.cycle.endsAtMs <= toMs ? this.cycle.endsAtMs : null;
      if (next?.expiresAtMs != null && next.expiresAtMs <= (turnMs ?? next.expiresAtMs)) {
        const left = this.leftOf(next);
        next.expired += left;
        this.note("grant_expired", left, next.expiresAtMs);
      } else if (turnMs !== null) this.turn(turnMs, turns++ > 0);
      else break;
    }
    this.nowMs = toMs;
    for (const [run, hold] of this.holds) if (hold.endsAtMs <= toMs) this.holds.delete(run);
    return null;
  }

  turn(atMs: number, idle: boolean): void {
    if (this.inCycle("debt") > 0n) this.note("debt_written_off", this.inCycle("debt"), atMs);
    // Idle months leave one entry: that of the cycle in which they end.
    if (idle)
      this.entries.splice(
        this.entries.findLastIndex((entry) => entry.type === "cycle_started"),
        1,
      );
    // At least a day: a change of zone alone must not make a cycle of a few hours.
    const endsAtMs = nextAnchor(atMs + DAY_MS, this.calendar.timeZone, this.calendar.anchorDay);
    this.cycle = { startsAtMs: atMs, endsAtMs };
    this.allowance = this.asked;
    this.note("cycle_started", this.allowance, atMs);
  }

  // Money

  charge(meter: Meter, micros: bigint): void {
    const left = meter.unit === "usd" ? micros : this.drawCredit(meter, micros);
    this.draw(meter, meter.unit === "usd" ? "spend" : "debt", null, left);
  }

  /** Draws on the allowance, then on grants; returns what is not covered. */
  drawCredit(meter: Meter, micros: bigint): bigint {
    const monthly = smaller(micros, atLeastZero(this.monthlyLeft()));
    this.draw(meter, "monthly", null, monthly);
    let left = micros - monthly;
    for (const grant of this.usable()) {
      const part = smaller(left, this.leftOf(grant));
      this.draw(meter, "grant", grant.id, part);
      left -= part;
    }
    return left;
  }

  refund(meter: Meter, micros: bigint): void {
    for (let left = micros; left > 0n; ) {
      const draw = meter.draws.findLast((candidate) => candidate.micros > 0n) as Draw;
      const part = smaller(left, draw.micros);
      const from = this.grants.find((grant) => grant.id === draw.grant);
      const ended = from === undefined ? draw.cycle !== this.cycle.startsAtMs : !this.isUsable(from);
      draw.micros -= part;
      if (ended) draw.lapsed += part;
      left -= part;
    }
  }

  /** Free credit pays debt: of the oldest meter first, and its oldest debt first. A payment is a draw of now. */
  payDebt(): void {
    const debtors = this.meters.toSorted(
      (a, b) => a.firstMs - b.firstMs || compare(a.run, b.run) || compare(a.model, b.model),
    );
    for (const meter of debtors) {
      const owing = meter.draws.filter((draw) => draw.bucket === "debt" && draw.cycle === this.cycle.startsAtMs);
      let paid = smaller(sum(owing), atLeastZero(this.monthlyLeft()) + this.bonusLeft());
      const paying = paid;
      for (const debt of owing) {
        const part = smaller(paid, debt.micros);
        debt.micros -= part;
        paid -= part;
      }
      this.drawCredit(meter, paying);
    }
  }

  draw(meter: Meter, bucket: Draw["bucket"], grant: string | null, micros: bigint): void {
    if (micros > 0n) meter.draws.push({ bucket, grant, cycle: this.cycle.startsAtMs, micros, lapsed: 0n });
  }

  note(type: string, micros: bigint, atMs = this.nowMs): void {
    this.entries.push({ type, atMs, micros });
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
