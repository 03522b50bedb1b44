/**
 * The journal's entries as JSON. Their facts are also stored in this form, in the object and in the copy, which compares
 * them as text: the order of the members must not change. This file is long because it has every type
 * of entry.
 */

import type { BillingModel, GrantSource } from "../ledger/books.ts";
import type { BudgetAction, BudgetPeriod, BudgetTerms } from "../ledger/budget.ts";
import type { Dimension } from "../ledger/dimensions.ts";
import type { Entry, EntryFacts } from "../ledger/entries.ts";
import type { Micros, Unit } from "../ledger/micros.ts";
import { formatRate, parseRate } from "../ledger/prices.ts";
import { formatIso, formatIsoOrNull, parseIso, parseIsoOrNull } from "./time.ts";

type BudgetTermsJson = { limit_micros: Micros | null; action: BudgetAction; unit: Unit };

export type FactsJson =
  | {
      type: "cycle_started";
      starts_at: string;
      ends_at: string;
      allowance_micros: Micros;
      time_zone: string;
      previous: { starts_at: string; used_micros: Micros; spend_micros: Micros } | null;
    }
  | {
      type: "grant_added";
      grant: string;
      amount_micros: Micros;
      source: GrantSource;
      expires_at: string | null;
      debt_paid_micros: Micros;
    }
  | { type: "grant_expired"; grant: string; amount_micros: Micros }
  | { type: "grant_voided"; grant: string; amount_micros: Micros }
  | { type: "debt_written_off"; amount_micros: Micros; cycle_starts_at: string }
  | { type: "cap_changed"; from_micros: Micros | null; to_micros: Micros | null }
  | {
      type: "budget_changed";
      dimension: Dimension;
      id: string;
      period: BudgetPeriod;
      /** Null if the budget is new. */
      from: BudgetTermsJson | null;
      /** Null if the budget was removed. */
      to: BudgetTermsJson | null;
    }
  | {
      type: "plan_changed";
      from_plan: string;
      to_plan: string;
      from_micros: Micros;
      to_micros: Micros;
      allowance_micros: Micros;
      debt_paid_micros: Micros;
    }
  | {
      type: "price_changed";
      from_multiplier: string;
      to_multiplier: string;
      overrides_added: number;
      overrides_changed: number;
      overrides_removed: number;
    }
  | { type: "billing_model_changed"; from: BillingModel; to: BillingModel }
  | {
      type: "usage_priced";
      reported_as: string;
      tier: string;
      model: string;
      meters: number;
      credits_micros: Micros;
      usd_micros: Micros;
    }
  | { type: "usage_dropped"; reported_as: string; tier: string; meters: number }
  | { type: "user_erased"; replacement: string }
  | { type: "run_closed"; run: string; credits_micros: Micros; usd_micros: Micros }
  | {
      type: "checkpoint";
      entries: number;
      cycle_starts_at: string | null;
      start_allowance_micros: Micros;
      allowance_micros: Micros;
      cap_micros: Micros | null;
      granted_micros: Micros;
      expired_micros: Micros;
      voided_micros: Micros;
    };

/** An entry as the object answers it. */
export type EntryJson = Omit<Entry, "facts"> & { facts: FactsJson };

/** Stands for older entries that were not read, at the end of a page of entries of one person. */
export type UnreadEntries = { readToSeq: number };

export function isEntry(entry: EntryJson | UnreadEntries): entry is EntryJson {
  return "seq" in entry;
}

export function showEntry({ facts, ...entry }: Entry): EntryJson {
  return { ...entry, facts: showFacts(facts) };
}

export function parseEntry({ facts, ...entry }: EntryJson): Entry {
  return { ...entry, facts: parseFacts(facts) };
}

export function showFacts(facts: EntryFacts): FactsJson {
  const { type } = facts;
  switch (type) {
    case "cycle_started":
      return {
        type,
        starts_at: formatIso(facts.startsAtMs),
        ends_at: formatIso(facts.endsAtMs),
        allowance_micros: facts.allowanceMicros,
        time_zone: facts.timeZone,
        previous: facts.previous && {
          starts_at: formatIso(facts.previous.startsAtMs),
          used_micros: facts.previous.usedMicros,
          spend_micros: facts.previous.spendMicros,
        },
      };
    case "grant_added":
      return {
        type,
        grant: facts.grant,
        amount_micros: facts.amountMicros,
        source: facts.source,
        expires_at: formatIsoOrNull(facts.expiresAtMs),
        debt_paid_micros: facts.debtPaidMicros,
      };
    case "grant_expired":
    case "grant_voided":
      return { type, grant: facts.grant, amount_micros: facts.amountMicros };
    case "debt_written_off":
      return { type, amount_micros: facts.amountMicros, cycle_starts_at: formatIso(facts.cycleStartsAtMs) };
    case "cap_changed":
      return { type, from_micros: facts.fromMicros, to_micros: facts.toMicros };
    case "budget_changed":
      return {
        type,
        dimension: facts.dimension,
        id: facts.id,
        period: facts.period,
        from: facts.from && showTerms(facts.from),
        to: facts.to && showTerms(facts.to),
      };
    case "plan_changed":
      return {
        type,
        from_plan: facts.fromPlan,
        to_plan: facts.toPlan,
        from_micros: facts.fromMicros,
        to_micros: facts.toMicros,
        allowance_micros: facts.allowanceMicros,
        debt_paid_micros: facts.debtPaidMicros,
      };
    case "price_changed":
      return {
        type,
        from_multiplier: formatRate(facts.fromMultiplier),
        to_multiplier: formatRate(facts.toMultiplier),
        overrides_added: facts.added,
        overrides_changed: facts.changed,
        overrides_removed: facts.removed,
      };
    case "billing_model_changed":
      return { type, from: facts.from, to: facts.to };
    case "user_erased":
      return { type, replacement: facts.replacement };
    case "run_closed":
      return { type, run: facts.run, credits_micros: facts.creditsMicros, usd_micros: facts.usdMicros };
    case "usage_priced":
      return {
        type,
        reported_as: facts.reportedAs,
        tier: facts.tier,
        model: facts.model,
        meters: facts.meters,
        credits_micros: facts.creditsMicros,
        usd_micros: facts.usdMicros,
      };
    case "usage_dropped":
      return { type, reported_as: facts.reportedAs, tier: facts.tier, meters: facts.meters };
    case "checkpoint":
      return {
        type,
        entries: facts.entries,
        cycle_starts_at: formatIsoOrNull(facts.cycleStartsAtMs),
        start_allowance_micros: facts.startAllowanceMicros,
        allowance_micros: facts.allowanceMicros,
        cap_micros: facts.capMicros,
        granted_micros: facts.grantedMicros,
        expired_micros: facts.expiredMicros,
        voided_micros: facts.voidedMicros,
      };
    default:
      return type satisfies never;
  }
}

export function parseFacts(json: FactsJson): EntryFacts {
  const { type } = json;
  switch (type) {
    case "cycle_started":
      return {
        type,
        startsAtMs: parseIso(json.starts_at),
        endsAtMs: parseIso(json.ends_at),
        allowanceMicros: json.allowance_micros,
        timeZone: json.time_zone,
        previous: json.previous && {
          startsAtMs: parseIso(json.previous.starts_at),
          usedMicros: json.previous.used_micros,
          spendMicros: json.previous.spend_micros,
        },
      };
    case "grant_added":
      return {
        type,
        grant: json.grant,
        amountMicros: json.amount_micros,
        source: json.source,
        expiresAtMs: parseIsoOrNull(json.expires_at),
        debtPaidMicros: json.debt_paid_micros,
      };
    case "grant_expired":
    case "grant_voided":
      return { type, grant: json.grant, amountMicros: json.amount_micros };
    case "debt_written_off":
      return { type, amountMicros: json.amount_micros, cycleStartsAtMs: parseIso(json.cycle_starts_at) };
    case "cap_changed":
      return { type, fromMicros: json.from_micros, toMicros: json.to_micros };
    case "budget_changed":
      return {
        type,
        dimension: json.dimension,
        id: json.id,
        period: json.period,
        from: json.from && parseTerms(json.from),
        to: json.to && parseTerms(json.to),
      };
    case "plan_changed":
      return {
        type,
        fromPlan: json.from_plan,
        toPlan: json.to_plan,
        fromMicros: json.from_micros,
        toMicros: json.to_micros,
        allowanceMicros: json.allowance_micros,
        debtPaidMicros: json.debt_paid_micros,
      };
    case "price_changed":
      return {
        type,
        fromMultiplier: parseRate(json.from_multiplier) ?? 0,
        toMultiplier: parseRate(json.to_multiplier) ?? 0,
        added: json.overrides_added,
        changed: json.overrides_changed,
        removed: json.overrides_removed,
      };
    case "billing_model_changed":
      return { type, from: json.from, to: json.to };
    case "user_erased":
      return { type, replacement: json.replacement };
    case "run_closed":
      return { type, run: json.run, creditsMicros: json.credits_micros, usdMicros: json.usd_micros };
    case "usage_priced":
      return {
        type,
        reportedAs: json.reported_as,
        tier: json.tier,
        model: json.model,
        meters: json.meters,
        creditsMicros: json.credits_micros,
        usdMicros: json.usd_micros,
      };
    case "usage_dropped":
      return { type, reportedAs: json.reported_as, tier: json.tier, meters: json.meters };
    case "checkpoint":
      return {
        type,
        entries: json.entries,
        cycleStartsAtMs: parseIsoOrNull(json.cycle_starts_at),
        startAllowanceMicros: json.start_allowance_micros,
        allowanceMicros: json.allowance_micros,
        capMicros: json.cap_micros,
        grantedMicros: json.granted_micros,
        expiredMicros: json.expired_micros,
        voidedMicros: json.voided_micros,
      };
    default:
      return type satisfies never;
  }
}

type Terms = BudgetTerms & { unit: Unit };

function showTerms({ limitMicros, action, unit }: Terms): BudgetTermsJson {
  return { limit_micros: limitMicros, action, unit };
}

function parseTerms({ limit_micros, action, unit }: BudgetTermsJson): Terms {
  return { limitMicros: limit_micros, action, unit };
}
