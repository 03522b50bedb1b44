/**
 * The settings of an enterprise as a form: its fields, their values, and what was typed as a PUT. The fields have the same
 * names as in the API, so that each validation error finds its field.
 */
import type { FC } from "hono/jsx";
import { hasOperatorScope } from "../../access/callers.ts";
import type { OperatorCaller } from "../../access/operator-session.ts";
import type { Settings } from "../../ledger/books.ts";
import type { Plan } from "../../ledger/plans.ts";
import { formatRate, NO_MULTIPLIER } from "../../ledger/prices.ts";
import type { FieldError } from "../../ledger/refusals.ts";
import { type EnterprisePut, enterprisePut } from "../../wire/enterprise.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { Choice, errorsOf, Field, type Form } from "../kit/form.tsx";
import { formatCharge } from "../kit/format.ts";
import { formatAmountField, parseAmount } from "./parse-fields.ts";

export const SETTINGS = [
  "name",
  "billing_model",
  "plan",
  "time_zone",
  "anchor_day",
  "monthly_allowance_micros",
  "members_see",
  "upgrade_url",
  "referral_url",
  "price_multiplier",
] as const;
type SettingName = (typeof SETTINGS)[number] | "webhook_url";

const BILLING_MODELS = { credits: "Credits", byom: "Bring your own model (US dollars)" };
const MEMBERS_SEE = {
  all: "Everything",
  own: "The balance, and their own use",
};

/** The plans to choose from, by id. Includes the plan that is now chosen, even if it has left the catalogue. */
function planOptions(plans: readonly Plan[], chosen: string | undefined): Record<string, string> {
  const options = plans.map(({ id, name, allowanceMicros }) => [
    id,
    `${name}, ${formatCharge(allowanceMicros, "credits")} a month`,
  ]);
  const missing = chosen === undefined || plans.some(({ id }) => id === chosen) ? [] : [[chosen, chosen]];
  return Object.fromEntries([...options, ...missing]);
}

export function valuesOf(settings: Settings): Record<SettingName, string> {
  return {
    name: settings.name,
    billing_model: settings.billingModel,
    plan: settings.plan,
    time_zone: settings.timeZone,
    anchor_day: String(settings.anchorDay),
    monthly_allowance_micros: formatAmountField(settings.allowanceOverrideMicros),
    members_see: settings.membersSee ?? "all",
    upgrade_url: settings.upgradeUrl ?? "",
    referral_url: settings.referralUrl ?? "",
    price_multiplier: formatRate(settings.priceMultiplierMillionths ?? NO_MULTIPLIER),
    webhook_url: settings.webhookUrl ?? "",
  };
}

/** The named fields as a PUT, or their errors. Emptying an optional field clears it. */
export function parseSettings(
  values: Record<string, string>,
  names: readonly SettingName[],
): { sent: EnterprisePut } | { errors: Record<string, string> } {
  const errors: FieldError[] = [];
  const typed = names.map((name) => [name, typedOf(name, (values[name] ?? "").trim(), errors)]);
  const parsed = enterprisePut.safeParse(Object.fromEntries(typed));
  if (parsed.success && errors.length === 0) return { sent: parsed.data };
  return { errors: errorsOf([...errors, ...(parsed.error === undefined ? [] : fieldErrors(parsed.error))]) };
}

/** The value that the API expects. Text that is not a number yields undefined and adds an error. */
function typedOf(name: SettingName, text: string, errors: FieldError[]): unknown {
  switch (name) {
    case "anchor_day": {
      if (/^([1-9]|[12]\d|3[01])$/.test(text)) return Number(text);
      errors.push({ path: name, message: "must be a day from 1 to 31" });
      return undefined;
    }
    case "monthly_allowance_micros": {
      const micros = text === "" ? null : parseAmount(text);
      if (text !== "" && micros === null)
        errors.push({ path: name, message: "must be an amount such as 1200 or 12.5" });
      return micros;
    }
    case "upgrade_url":
    case "referral_url":
    case "webhook_url":
      return text === "" ? null : text;
    case "name":
    case "billing_model":
    case "plan":
    case "time_zone":
    case "price_multiplier":
      return text;
    case "members_see":
      return text === "" ? undefined : text;
    default:
      return name satisfies never;
  }
}

/** The settings that a session may change: the price multiplier needs the scope `prices`, as in the API. */
export function changeableSettings(caller: OperatorCaller): SettingName[] {
  return SETTINGS.filter((name) => name !== "price_multiplier" || hasOperatorScope(caller, ["prices"]));
}

export const SettingsFields: FC<{ form: Form; plans: readonly Plan[]; caller: OperatorCaller }> = ({
  form,
  plans,
  caller,
}) => (
  <>
    <Field form={form} name="name" label="Name" maxlength={200} />
    <Choice
      form={form}
      name="plan"
      label="Plan"
      options={planOptions(plans, form.values.plan)}
      hint="A larger plan counts at once, a smaller one from the next cycle."
    />
    <Choice form={form} name="billing_model" label="Billing model" options={BILLING_MODELS} />
    <Field
      form={form}
      name="monthly_allowance_micros"
      label="Monthly allowance in credits"
      optional
      inputmode="decimal"
      hint="Replaces the plan's allowance."
    />
    <Field
      form={form}
      name="time_zone"
      label="Time zone"
      hint="For example Europe/Berlin. A change counts from the next cycle."
    />
    <Field
      form={form}
      name="anchor_day"
      label="Anchor day"
      inputmode="numeric"
      hint="The day of the month on which a cycle starts, 1 to 31."
    />
    <Choice
      form={form}
      name="members_see"
      label="Members see"
      options={MEMBERS_SEE}
      hint="Admins always see everything. A change counts from the next request."
    />
    <Field form={form} name="upgrade_url" label="Upgrade link" optional hint="Where people upgrade to a larger plan." />
    <Field form={form} name="referral_url" label="Referral link" optional hint="Where people invite others." />
    {hasOperatorScope(caller, ["prices"]) && (
      <Field
        form={form}
        name="price_multiplier"
        label="Price multiplier"
        inputmode="decimal"
        hint="Marks credits up or down: 1.25 charges a quarter more. For runs that start from now on."
      />
    )}
  </>
);
