/**
 * What changes when an operator or an admin changes an enterprise (rules R4, R7, R8). A larger allowance counts at
 * once, a smaller one from the next cycle; zone and anchor wait for the turn; the billing model and the cap take
 * effect with the next request. Each change that moves money leaves an entry.
 */
import { balanceOf } from "./balance.ts";
import { type Books, type Settings, unitOf } from "./books.ts";
import type { By, NewEntry } from "./entries.ts";
import { MAX_MICROS, type Micros } from "./micros.ts";
import { allowanceOf } from "./plans.ts";
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
 * The settings of a new enterprise: what is given, and defaults for the rest. Null when the name, the billing model or
 * the plan is missing, because they have no default.
 */
export function completeSettings(given: Partial<Settings>): Settings | null {
  const { name, billingModel, plan } = given;
  if (name === undefined || billingModel === undefined || plan === undefined) return null;
  return { ...DEFAULTS, ...given, name, billingModel, plan };
}

/** What is missing to create an enterprise, by the name of its field in a request. */
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

type Changed = { books: Books; entries: NewEntry[] };

/**
 * Puts new settings in force. Where the allowance rises, debt is paid by the caller in the same change, through
 * `payDebt`, and written into the entry: the `plan_changed` entry is therefore last.
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
  const fromMicros = allowanceOf(before.plan, before.allowanceOverrideMicros);
  const toMicros = allowanceOf(settings.plan, settings.allowanceOverrideMicros);
  if (settings.plan === before.plan && fromMicros === toMicros) return { books: next, entries };
  const allowanceMicros = Math.max(books.cycle.allowanceMicros, toMicros);
  const others = (balanceOf(books, "credits", nowMs).totalMicros ?? 0) - books.cycle.allowanceMicros;
  if (allowanceMicros > MAX_MICROS - others) {
    const message = "the enterprise's total would pass 9007199254740991";
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

/** Sets, changes or removes (null) the monthly spend cap. The same cap again changes nothing. */
export function decideCap(books: Books, capMicros: Micros | null, by: By, nowMs: AtMs): Changed | Refused {
  if (unitOf(books.settings.billingModel) !== "usd") return refuse({ code: "not_byom" });
  if (capMicros === books.capMicros) return { books, entries: [] };
  const facts = { type: "cap_changed", fromMicros: books.capMicros, toMicros: capMicros } as const;
  return { books: { ...books, capMicros, seq: books.seq + 1 }, entries: [{ atMs: nowMs, by, facts }] };
}
