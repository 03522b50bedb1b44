/**
 * Changes of an enterprise's settings and spend cap (rules R4, R7, R8). A larger allowance applies at once, a smaller
 * one from the next cycle. The time zone and the anchor day apply from the next turn, the billing model and the cap from
 * the next request. Each change of the balance is recorded in an entry.
 */
import { balanceOf } from "./balance.ts";
import { type Books, type Settings, unitOf } from "./books.ts";
import type { By, NewEntry } from "./entries.ts";
import { MAX_MICROS, type Micros } from "./micros.ts";
import { allowanceOf, findTerms, type Plan } from "./plans.ts";
import { NO_MULTIPLIER } from "./prices.ts";
import { type FieldError, type Refused, refuse } from "./refusals.ts";
import type { AtMs } from "./time.ts";

const DEFAULTS = {
  allowanceOverrideMicros: null,
  timeZone: "UTC",
  anchorDay: 1,
  suspended: false,
  upgradeUrl: null,
  referralUrl: null,
  webhookUrl: null,
} as const satisfies Partial<Settings>;

/**
 * Completes the settings of a new enterprise with defaults; null if the name, the billing model or the plan is missing,
 * because these have no default.
 */
export function completeSettings(given: Partial<Settings>): Settings | null {
  const { name, billingModel, plan } = given;
  if (name === undefined || billingModel === undefined || plan === undefined) return null;
  return { ...DEFAULTS, ...given, name, billingModel, plan };
}

/** The fields that are missing to create an enterprise, by their names in a request. */
export function missingSettings({ name, billingModel, plan }: Partial<Settings>): FieldError[] {
  const fields = [
    { path: "name", value: name },
    { path: "billing_model", value: billingModel },
    { path: "plan", value: plan },
  ];
  return fields
    .filter(({ value }) => value === undefined)
    .map(({ path }) => ({ path, message: "required to create an enterprise" }));
}

/**
 * Gives the settings the terms that their plan has in the catalogue. Refuses a plan that is not in it, unless the
 * enterprise already has this plan.
 * @param before the settings before the change; null for a new enterprise
 * @param plans the catalogue; null if the caller is a Worker of the last release, which does not send it
 */
export function withPlanTerms(settings: Settings, before: Settings | null, plans: readonly Plan[] | null) {
  const { planTerms: _, ...bare } = settings;
  const keptTerms = before?.plan === settings.plan ? before.planTerms : undefined;
  const terms = plans === null ? keptTerms : (findTerms(plans, settings.plan) ?? keptTerms);
  if (terms === undefined && plans !== null && before?.plan !== settings.plan) {
    return refuse({ code: "validation_failed", errors: [UNKNOWN_PLAN] });
  }
  return terms === undefined ? bare : { ...bare, planTerms: terms };
}

export const UNKNOWN_PLAN: FieldError = { path: "plan", message: "is not a plan of the catalogue" };

type Changed = { books: Books; entries: NewEntry[] };

/**
 * Applies new settings. After a larger allowance the caller pays debt with payDebt in the same change, and records the
 * amount in the `plan_changed` entry. Refuses an allowance that would make the total exceed 2^53−1.
 */
export function decideSettings(books: Books, settings: Settings, by: By, nowMs: AtMs): Changed | Refused {
  const entries: NewEntry[] = [];
  const before = books.settings;
  let next: Books = { ...books, settings };
  if (settings.billingModel !== before.billingModel) {
    next = { ...next, seq: next.seq + 1 };
    const facts = { type: "billing_model_changed", from: before.billingModel, to: settings.billingModel } as const;
    entries.push({ atMs: nowMs, by, facts });
  }
  const [fromMultiplier = NO_MULTIPLIER, toMultiplier = NO_MULTIPLIER] = [
    before.priceMultiplierMillionths,
    settings.priceMultiplierMillionths,
  ];
  if (fromMultiplier !== toMultiplier) {
    next = { ...next, seq: next.seq + 1 };
    const facts = { type: "price_changed", fromMultiplier, toMultiplier, added: 0, changed: 0, removed: 0 } as const;
    entries.push({ atMs: nowMs, by, facts });
  }
  const fromMicros = allowanceOf(before);
  const toMicros = allowanceOf(settings);
  // The terms of a plan may have been read since the last PUT without raising this cycle's allowance.
  const isLarger = toMicros > books.cycle.allowanceMicros;
  if (settings.plan === before.plan && fromMicros === toMicros && !isLarger) return { books: next, entries };
  const allowanceMicros = Math.max(books.cycle.allowanceMicros, toMicros);
  const otherMicros = (balanceOf(books, "credits", nowMs).totalMicros ?? 0) - books.cycle.allowanceMicros;
  if (allowanceMicros > MAX_MICROS - otherMicros) {
    const message = "the enterprise's total would exceed 9007199254740991";
    return refuse({ code: "validation_failed", errors: [{ path: "monthly_allowance_micros", message }] });
  }
  next = { ...next, seq: next.seq + 1, cycle: { ...next.cycle, allowanceMicros } };
  entries.push({
    atMs: nowMs,
    by,
    facts: {
      type: "plan_changed",
      fromPlan: before.plan,
      toPlan: settings.plan,
      fromMicros,
      toMicros,
      allowanceMicros,
      debtPaidMicros: 0,
    },
  });
  return { books: next, entries };
}

/** Sets, changes or removes (null) the monthly spend cap. Refuses an enterprise that is billed in credits. */
export function decideCap(books: Books, capMicros: Micros | null, by: By, nowMs: AtMs): Changed | Refused {
  if (unitOf(books.settings.billingModel) !== "usd") return refuse({ code: "not_byom" });
  if (capMicros === books.capMicros) return { books, entries: [] };
  const facts = { type: "cap_changed", fromMicros: books.capMicros, toMicros: capMicros } as const;
  return { books: { ...books, capMicros, seq: books.seq + 1 }, entries: [{ atMs: nowMs, by, facts }] };
}
