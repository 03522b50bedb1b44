/**
 * The books of one enterprise: plain values that every decision of the ledger reads, and replaces instead of changing.
 * Amounts are micros, times are milliseconds by the enterprise's clock. This file defines what the fields mean; it does
 * not know how they are stored.
 */
import type { Micros, Unit } from "./micros.ts";
import type { PlanTerms } from "./plans.ts";
import type { Price, Usage } from "./prices.ts";
import type { Region } from "./regions.ts";
import type { AtMs } from "./time.ts";

export const BILLING_MODELS = ["credits", "byom"] as const;
export type BillingModel = (typeof BILLING_MODELS)[number];

/** Whether members see everything that the enterprise used, or only what they used themselves. */
export const MEMBERS_SEE = ["all", "own"] as const;
type MembersSee = (typeof MEMBERS_SEE)[number];

export const SURFACES = ["web", "cli"] as const;
export type Surface = (typeof SURFACES)[number];

export type Settings = {
  name: string;
  billingModel: BillingModel;
  plan: string;
  /** What the plan gave when the catalogue was last read; absent: the terms of the first release. */
  planTerms?: PlanTerms;
  allowanceOverrideMicros: Micros | null;
  /** Applies from the next turn; the current cycle keeps its bounds. */
  timeZone: string;
  anchorDay: number;
  suspended: boolean;
  upgradeUrl: string | null;
  referralUrl: string | null;
  /** Stored, so that it survives a rotation of the secret that made it. Absent for a moment after the last release. */
  referralCode?: string;
  webhookUrl: string | null;
  /** Marks credits up or down, in millionths; absent: 1. Pinned when a meter is first priced. */
  priceMultiplierMillionths?: number;
  /** Chosen at creation; absent: none. */
  region?: Region;
  /** Absent: all. */
  membersSee?: MembersSee;
};

/** One billing cycle, half-open [startsAt, endsAt), with its use in credits and in USD. */
export type Cycle = {
  startsAtMs: AtMs;
  endsAtMs: AtMs;
  /** The time zone of the bounds, which also defines the local hours and days of this cycle. */
  timeZone: string;
  /** The highest allowance that applied in this cycle. */
  allowanceMicros: Micros;
  /** Drawn from the allowance, drawn from grants, and not covered: together, this cycle's charges in credits. */
  monthlyUsedMicros: Micros;
  bonusUsedMicros: Micros;
  debtMicros: Micros;
  /** Refunded to the allowance in this cycle: at most this much of it can be free while bonus is in use. */
  returnedMicros: Micros;
  /** This cycle's charges in micros of USD. */
  spendUsedMicros: Micros;
};

export const GRANT_SOURCES = ["referral", "promotion", "goodwill", "purchase"] as const;
export type GrantSource = (typeof GRANT_SOURCES)[number];

export type Grant = {
  id: string;
  amountMicros: Micros;
  drawnMicros: Micros;
  expiredMicros: Micros;
  voidedMicros: Micros;
  source: GrantSource;
  note: string | null;
  grantedAtMs: AtMs;
  expiresAtMs: AtMs | null;
  /** True once voided: nothing is refunded to it any more. */
  voided: boolean;
  /** The order of arrival: the seq of its `grant_added`. */
  seq: number;
};

export type GrantChunk = {
  grants: readonly Grant[];
  /** How many of them have something left, and how much that is. */
  open: number;
  remainingMicros: Micros;
};

/** Grants in the order of drawing. Only grant-list.ts looks into the chunks. */
export type GrantList = {
  /** In the order of drawing. No chunk is empty. */
  chunks: readonly GrantChunk[];
  /** How many grants have something left, whether they can be used now or not, and how much that is. */
  open: number;
  remainingMicros: Micros;
  /**
   * For each id, some version of its grant. The fields that decide a grant's place never change, so any version shows
   * where to look. Lists that come from one another share this map, so it may also name grants that are not in the list.
   */
  versions: Map<string, Grant>;
};

/**
 * The highest threshold, in percent, that a notification was sent for in this cycle and unit, and the total that it was
 * measured against. 0: none yet. 100: nothing is left.
 */
export type Notified = { cycleStartsAtMs: AtMs; unit: Unit; level: number; totalMicros: Micros | null };

/** What the channels of an enterprise were notified of. */
export type Alerted = {
  cycleStartsAtMs: AtMs;
  unit: Unit;
  /** The highest percentage of the total, rounded down, that usage has reached since the last new credit. */
  percent: number;
  /** The total that `percent` was measured against; null without a cap. */
  totalMicros: Micros | null;
  /** True from when nothing was left until there is new credit. */
  exhausted: boolean;
  /** Whether `on_track_to_run_out` was sent in this cycle. */
  onTrack: boolean;
  /** Whether `bonus_expiring` was sent in this cycle, and the expiry of the last grant that it was about. */
  expiring: boolean;
  expiringUntilMs: AtMs;
};

export type Books = {
  settings: Settings;
  cycle: Cycle;
  /** Grants with something left, and those that the current decision may refund to, in the order of drawing. */
  grants: GrantList;
  /** The sum of active holds by unit. */
  held: Readonly<Record<Unit, Micros>>;
  /** The part of `held` that belongs to expired holds. They are ended in portions, and no longer count. */
  overdue: Readonly<Record<Unit, Micros>>;
  /** The monthly spend cap; null: no cap. */
  capMicros: Micros | null;
  notified: Notified;
  /** Null or absent while no channel is active. */
  alerted?: Alerted | null;
  /** Increases by one with each debit that changes a meter, each change of a hold, and each entry. */
  seq: number;
};

export const BUCKETS = ["monthly", "grant", "debt", "spend"] as const;
export type Bucket = (typeof BUCKETS)[number];

/** One draw of a meter on a bucket. A meter's most recent draw comes last. */
export type Draw = {
  bucket: Bucket;
  /** The grant's id; null for allowance, debt and spend, which the cycle identifies. */
  grantId: string | null;
  cycleStartsAtMs: AtMs;
  micros: Micros;
  /** Refunded to the meter but not given back, because its bucket had ended. */
  lapsedMicros: Micros;
  /**
   * The local day of the charge, by `dayOf`. For the payment of a debt it is the day of the debt. Absent in draws of
   * earlier releases.
   */
  dayStartsAtMs?: AtMs;
  /** Of a draw on a grant: refunded after the draw's cycle had ended. It still counts in that cycle. Absent: 0. */
  lateMicros?: Micros;
};

export type Meter = {
  run: string;
  /** Identifies the meter within its run: its first name and its tier (`meterKey`). Never changes. */
  key: string;
  /** The id of its model. While nothing prices it, the name under which it was first reported. */
  model: string;
  tier: string;
  /** The names under which it was reported; empty if that was only the name in its key. An alias stays with its meter. */
  reportedAs: readonly string[];
  unit: Unit;
  /** Null while nothing prices its usage. Pinned once it is set. */
  price: Price | null;
  usage: Usage;
  chargedMicros: Micros;
  final: boolean;
  /** True after an estimate, until an exact final. */
  estimated: boolean;
  draws: readonly Draw[];
  firstReportAtMs: AtMs;
  lastReportAtMs: AtMs;
  /** When usage that had waited for a price got one; null for all other meters. */
  pricedAtMs: AtMs | null;
  /** What is stored of the draws before those in `draws`; absent if there are none. */
  older?: OlderDraws;
};

/** The older draws of a meter that has drawn on very many buckets. */
export type OlderDraws = {
  /** In how many pages they are stored. */
  pages: number;
  micros: Micros;
  /** The latest cycle in which they have debt; null if they have none. */
  debtCycleMs: AtMs | null;
};

export type Hold = { unit: Unit; micros: Micros; ttlMs: number; expiresAtMs: AtMs };

export type Run = {
  run: string;
  surface: Surface;
  workspace: string;
  user: string;
  /** Null until known; fixed at the first charge. */
  group: string | null;
  startedAtMs: AtMs;
  /** True after its first report, which makes it count as a request. */
  reported: boolean;
  /** Null if it has none: never had one, or it was released, expired or closed. Zero micros if it is used up. */
  hold: Hold | null;
  /** When its last hold ended; absent if it has had none, or if an earlier release ended it. */
  holdEndedAtMs?: AtMs;
};

/** The group of workspaces without a group. */
export const NO_GROUP = "none";

/** The unit in which new meters are charged. */
export function unitOf(billingModel: BillingModel): Unit {
  return billingModel === "byom" ? "usd" : "credits";
}

/** What is left of a grant, whether it can be used now or not. */
export function grantRemaining(grant: Grant): Micros {
  return grant.amountMicros - grant.drawnMicros - grant.expiredMicros - grant.voidedMicros;
}

/** True in [granted_at, expires_at), unless voided. */
export function grantUsable(grant: Grant, nowMs: AtMs): boolean {
  return !grant.voided && (grant.expiresAtMs === null || nowMs < grant.expiresAtMs);
}

/** Sorts by expiry (none comes last), then by age, then by order of arrival. */
export function byDrawOrder(a: Grant, b: Grant): number {
  const expiry = (a.expiresAtMs ?? Number.POSITIVE_INFINITY) - (b.expiresAtMs ?? Number.POSITIVE_INFINITY);
  if (expiry !== 0 && !Number.isNaN(expiry)) return expiry;
  return a.grantedAtMs - b.grantedAtMs || a.seq - b.seq;
}

/** Sorts a run's meters by their first report, then by key. */
export function byFirstReport(a: Meter, b: Meter): number {
  return a.firstReportAtMs - b.firstReportAtMs || (a.key < b.key ? -1 : 1);
}
