/**
 * The JSON values that the enterprise's Durable Object returns to the Worker. Their shapes must stay compatible with
 * the last release: during a deploy, old Workers call new objects and new Workers call old ones.
 */
import type { ModelPrice } from "../catalog/price-entry.ts";
import type { CopyMark } from "../copy/checked-copy.ts";
import type { Cycle } from "../ledger/books.ts";
import type { Span } from "../ledger/calendar.ts";
import type { Forecast } from "../ledger/forecast.ts";
import type { Gauge } from "../ledger/gauge.ts";
import type { Micros } from "../ledger/micros.ts";
import { formatRate, NO_MULTIPLIER } from "../ledger/prices.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import { type GaugeJson, showGauge } from "../wire/gauge.ts";
import type { GrantJson } from "../wire/grant.ts";
import type { StartAnswer, StartRefused } from "./books/commands.ts";
import type { EnterpriseState } from "./books/enterprise-state.ts";
import type { Ledger } from "./books/ledger.ts";

type WithGaugeJson<T extends { gauge: Gauge }> = Omit<T, "gauge"> & { gauge: GaugeJson };

export type StateJson = WithGaugeJson<EnterpriseState>;
/** The state of an enterprise, with the time of issue of a new token for one of its people. */
export type IssuedJson = StateJson & { issuedAtMs: AtMs };
export type StartAnswerJson = WithGaugeJson<StartAnswer>;
export type StartRefusedJson = WithGaugeJson<StartRefused>;

/** What a page needs in addition to the copy in D1: the balance, the clock, and up to when the copy is complete. */
export type CopyView = {
  gauge: GaugeJson;
  suspended: boolean;
  timeZone: string;
  cycleStartsAtMs: AtMs;
  nowMs: AtMs;
  copyAsOfMs: AtMs;
  /** How this cycle ends at the current pace. Objects of the last release do not send it. */
  forecast?: Pick<Forecast, "leftAtResetMicros" | "expiringMicros">;
  /** The caller's name in the directory, if the caller is a person who has one. Objects of the last release do not send it. */
  userName?: string | null;
  /** The only user whose data the caller may see, by the setting `members_see`; null if there is no such limit. */
  onlyUser?: string | null;
  /** What the copy must have for readers to use it. Objects of the last release do not state it. */
  copy?: CopyMark;
  /** What of the usage the cube lacks; null if it lacks nothing. Objects of the last release have no cube. */
  notInCube?: CubeGap | null;
  /** Whether any budget is set. Objects of the last release do not send it, and answer no `budgetsOfEach`. */
  hasBudgets?: boolean;
  /** The cycle that was asked for; null if there is none. Objects of the last release do not know of other cycles. */
  askedCycle?: Span | null;
  /** The grants that were asked for; null if the caller may not see them. */
  grants?: GrantJson[] | null;
  /** The ended cycles that were asked for, and the cycle that was asked for if it is one of them. */
  endedCycles?: EndedCycle[];
  /** The previous cycle, and what was used in it up to the same number of days; null in the first cycle. */
  previous?: (Span & { usedMicros: Micros; usedByNowMicros: Micros }) | null;
};

/** What a reader wants to know about besides the current cycle. */
export type ViewAsked = {
  cycleStartsAtMs?: AtMs | undefined;
  /** At most how many grants, newest first, to add. */
  grants?: number | undefined;
  /** At most how many of the cycles that have ended, newest first, to add. */
  endedCycles?: number | undefined;
};

/** A cycle that has ended, with its use in both units. */
export type EndedCycle = Pick<
  Cycle,
  | "startsAtMs"
  | "endsAtMs"
  | "timeZone"
  | "allowanceMicros"
  | "monthlyUsedMicros"
  | "bonusUsedMicros"
  | "debtMicros"
  | "spendUsedMicros"
> & {
  /** True for a month of imported history, which had no allowance here. */
  imported?: true;
};

/** The time in which usage was recorded without a cube: from the first cycle to the first day that the cube has whole. */
export type CubeGap = { fromMs: AtMs; untilMs: AtMs };

/**
 * The result of a PUT of an enterprise. `newWebhookUrl` is null unless the PUT has set or changed the webhook URL.
 * `webhookSecret` is the new secret of that URL; null if it is the same as before. An object of the last release does not
 * send it.
 */
export type Provisioned = {
  created: boolean;
  state: StateJson;
  newWebhookUrl: string | null;
  webhookSecret?: string | null;
};

/** What this enterprise changes about the prices of the book. */
export type PricingJson = { models: ModelPrice[]; multiplier: string };

export function showPricing({ books, overrides }: Ledger): PricingJson {
  const { priceMultiplierMillionths = NO_MULTIPLIER } = books.settings;
  return { models: overrides.load(), multiplier: formatRate(priceMultiplierMillionths) };
}

export function showState(state: EnterpriseState): StateJson;
export function showState(state: EnterpriseState | Refused): StateJson | Refused;
export function showState(state: EnterpriseState | Refused): StateJson | Refused {
  return isRefusal(state) ? state : { ...state, gauge: showGauge(state.gauge, state.links) };
}
