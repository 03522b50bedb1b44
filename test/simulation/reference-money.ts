/**
 * The money of the reference model, written from the contract alone (rules R3, R4, R7 and R8). Every amount that was
 * taken is a Taking, in order. What the ledger keeps as a running sum is summed here each time. Slow, but easy to trust.
 */

import { cycleHolding, nextAnchor } from "../support/reference-calendar.ts";
import { localDayStart } from "./local-time.ts";
import type { RareEvent } from "./rare-events.ts";

type Source = "monthly" | "grant" | "debt" | "spend";

export type Taking = {
  from: Source;
  grant: string | null;
  cycleMs: number;
  /** The start of the local day of the charge. */
  dayMs: number;
  micros: number;
  lapsed: number;
  /** Refunded after the end of the cycle, whose use it did not lower. */
  late?: number;
};

/** A meter that takes money. Meters are ordered by their first report, then by name. */
export type Taker = { name: string; firstReportMs: number; takings: Taking[] };

export type ReferenceGrant = {
  id: string;
  amount: number;
  left: number;
  expired: number;
  voided: number | null;
  source: string;
  note: string | null;
  grantedMs: number;
  expiresMs: number | null;
  order: number;
};

export type ReferenceCycle = { startsMs: number; endsMs: number; zone: string; allowance: number };
type ClosedCycle = ReferenceCycle & Record<Source, number>;

/** What a turn needs to know of the settings. */
export type TurnSettings = { zone: string; anchorDay: number; allowance: number };

const DAY_MS = 86_400_000;

export class ReferenceMoney {
  cycle: ReferenceCycle;
  readonly grants: ReferenceGrant[] = [];
  readonly closed: ClosedCycle[] = [];
  /** The entries by type: how many there are, and the sum of the micros that they name. */
  readonly entries = new Map<string, { count: number; micros: number }>();
  /** Everything that was taken in the running cycle, and by which meter. */
  takings: { taking: Taking; taker: Taker }[] = [];

  constructor(
    nowMs: number,
    settings: TurnSettings,
    readonly count: (name: RareEvent) => void,
  ) {
    const { startsAtMs, endsAtMs } = cycleHolding(nowMs, settings.zone, settings.anchorDay);
    this.cycle = { startsMs: startsAtMs, endsMs: endsAtMs, zone: settings.zone, allowance: settings.allowance };
    this.note("cycle_started", settings.allowance);
  }

  /** How much was taken from a source in the running cycle. */
  taken(from: Source): number {
    let sum = 0;
    for (const { taking } of this.takings) if (taking.from === from) sum += taking.micros;
    return sum;
  }

  get monthlyLeft(): number {
    return this.cycle.allowance - this.taken("monthly");
  }

  bonusLeft(nowMs: number): number {
    return this.usable(nowMs).reduce((sum, grant) => sum + grant.left, 0);
  }

  /** Grants that can be drawn on, in the order of drawing. */
  usable(nowMs: number): ReferenceGrant[] {
    const never = Number.MAX_SAFE_INTEGER;
    return this.grants
      .filter((grant) => grant.voided === null && grant.left > 0 && nowMs < (grant.expiresMs ?? never))
      .sort(
        (a, b) => (a.expiresMs ?? never) - (b.expiresMs ?? never) || a.grantedMs - b.grantedMs || a.order - b.order,
      );
  }

  /** The next expiry that changes something, or the end of the cycle. */
  nextDueMs(): number {
    const open = this.grants.filter((grant) => grant.left > 0 && grant.expiresMs !== null);
    return Math.min(this.cycle.endsMs, ...open.map((grant) => grant.expiresMs as number));
  }

  /** Does the expiries and turns that are due. */
  advance(nowMs: number, settings: TurnSettings): void {
    for (const grant of this.grants) {
      if (grant.left === 0 || grant.expiresMs === null || grant.expiresMs > nowMs) continue;
      this.note("grant_expired", grant.left);
      this.count("grant_expired");
      if (grant.expiresMs === this.cycle.endsMs) this.count("expiry_in_the_millisecond_of_a_turn");
      grant.expired += grant.left;
      grant.left = 0;
    }
    if (nowMs >= this.cycle.endsMs) this.#turn(nowMs, settings);
  }

  charge(taker: Taker, micros: number, unit: "credits" | "usd", nowMs: number): void {
    const dayMs = this.dayStart(nowMs);
    if (unit === "usd") this.#take(taker, "spend", null, micros, dayMs);
    else this.#take(taker, "debt", null, this.#draw(taker, micros, nowMs, dayMs), dayMs);
  }

  /** The start of the local day. The first day of a cycle starts with it. */
  dayStart(nowMs: number): number {
    return Math.max(this.cycle.startsMs, localDayStart(nowMs, this.cycle.zone));
  }

  /** Refunds, most recent taking first; returns how much of it belongs to the running cycle, and to this day. */
  refund(taker: Taker, micros: number, nowMs: number): { ofCycle: number; ofDay: number } {
    let [left, ofCycle, ofDay] = [micros, 0, 0];
    for (const taking of [...taker.takings].reverse()) {
      const part = Math.min(left, taking.micros);
      left -= part;
      taking.micros -= part;
      const current = taking.cycleMs === this.cycle.startsMs;
      if (taking.dayMs === this.dayStart(nowMs)) ofDay += part;
      if (current) ofCycle += part;
      else taking.late = (taking.late ?? 0) + part;
      const grant = this.grants.find(({ id }) => id === taking.grant);
      const alive =
        grant !== undefined && grant.voided === null && (grant.expiresMs === null || nowMs < grant.expiresMs);
      if (part === 0) continue;
      if (alive) {
        grant.left += part;
        this.count("refund_to_a_grant");
      } else if (grant !== undefined || !current) {
        taking.lapsed += part;
        this.count("refund_lapsed");
      } else if (taking.from === "monthly") this.count("refund_to_the_allowance");
      else if (taking.from === "debt") this.count("refund_of_debt");
    }
    if (left > 0) throw new Error("the reference refunds more than was taken");
    return { ofCycle, ofDay };
  }

  /** Pays debt while credit is free, the oldest debtor first; returns how much was paid. */
  payDebt(nowMs: number): number {
    let paid = 0;
    for (;;) {
      const free = this.monthlyLeft + this.bonusLeft(nowMs);
      const debts = this.takings.filter(({ taking }) => taking.from === "debt" && taking.micros > 0);
      const first = debts.sort((a, b) => byAge(a.taker, b.taker))[0];
      if (free <= 0 || first === undefined) return paid;
      const part = Math.min(free, first.taking.micros);
      first.taking.micros -= part;
      this.#draw(first.taker, part, nowMs, first.taking.dayMs);
      paid += part;
    }
  }

  addGrant(grant: Pick<ReferenceGrant, "id" | "amount" | "source" | "note" | "expiresMs">, nowMs: number): void {
    this.note("grant_added", grant.amount);
    const fresh = { left: grant.amount, expired: 0, voided: null, grantedMs: nowMs, order: this.grants.length };
    this.grants.push({ ...grant, ...fresh });
  }

  voidGrant(grant: ReferenceGrant, nowMs: number): void {
    if (grant.voided !== null || (grant.expiresMs !== null && grant.expiresMs <= nowMs)) return;
    this.note("grant_voided", grant.left);
    grant.voided = grant.left;
    grant.left = 0;
  }

  note(type: string, micros: number): void {
    const { count, micros: sum } = this.entries.get(type) ?? { count: 0, micros: 0 };
    this.entries.set(type, { count: count + 1, micros: sum + micros });
  }

  #turn(nowMs: number, { zone, anchorDay, allowance }: TurnSettings): void {
    const debt = this.taken("debt");
    if (debt > 0) {
      this.note("debt_written_off", debt);
      this.count("debt_written_off");
    }
    this.count("cycle_turned");
    const sums = { monthly: this.taken("monthly"), grant: this.taken("grant"), debt, spend: this.taken("spend") };
    this.closed.push({ ...this.cycle, ...sums });
    const endedMs = this.cycle.endsMs;
    let endsMs = nextAnchor(endedMs + 1, zone, anchorDay);
    if (endsMs - endedMs < DAY_MS) endsMs = nextAnchor(endsMs + 1, zone, anchorDay);
    const holding = cycleHolding(nowMs, zone, anchorDay);
    const bounds =
      nowMs < endsMs ? { startsMs: endedMs, endsMs } : { startsMs: holding.startsAtMs, endsMs: holding.endsAtMs };
    if (nowMs >= endsMs) this.count("cycle_turned_over_idle_months");
    this.cycle = { ...bounds, zone, allowance };
    this.takings = [];
    this.note("cycle_started", allowance);
  }

  /** Draws on credit; returns what is not covered. */
  #draw(taker: Taker, micros: number, nowMs: number, dayMs: number): number {
    const monthly = Math.min(micros, this.monthlyLeft);
    this.#take(taker, "monthly", null, monthly, dayMs);
    let left = micros - monthly;
    for (const grant of this.usable(nowMs)) {
      const part = Math.min(left, grant.left);
      this.#take(taker, "grant", grant.id, part, dayMs);
      grant.left -= part;
      left -= part;
    }
    return left;
  }

  #take(taker: Taker, from: Source, grant: string | null, micros: number, dayMs: number): void {
    if (micros === 0) return;
    const taking = { from, grant, cycleMs: this.cycle.startsMs, dayMs, micros, lapsed: 0 };
    taker.takings.push(taking);
    this.takings.push({ taking, taker });
  }
}

function byAge(a: Taker, b: Taker): number {
  return a.firstReportMs - b.firstReportMs || (keyOf(a) < keyOf(b) ? -1 : 1);
}

/** The contract orders no meters of one millisecond. The ledger orders them by run, model and tier, `standard` first. */
function keyOf({ name }: Taker): string {
  return name.replace(/ standard$/, "");
}
