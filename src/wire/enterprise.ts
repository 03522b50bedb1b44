/** The request that creates or changes an enterprise, and its conversion to the ledger's settings. */
import { z } from "@hono/zod-openapi";
import { BILLING_MODELS, MEMBERS_SEE, type Settings } from "../ledger/books.ts";
import { isTimeZone } from "../ledger/cycle.ts";
import { parseRate } from "../ledger/prices.ts";
import { REGIONS } from "../ledger/regions.ts";
import { id, label, link, micros, orNull, time } from "./fields.ts";
import { webhookUrl } from "./webhook-url.ts";

const MAX_MULTIPLIER = 1_000_000_000;

const multiplier = z
  .string()
  .refine(
    (text) => (parseRate(text) ?? Number.POSITIVE_INFINITY) <= MAX_MULTIPLIER,
    'must be a decimal string from 0 to 1000 with up to 6 decimals such as "1.25"',
  )
  .openapi({ type: "string", example: "1.25" });

export const enterprisePut = z
  .strictObject({
    name: label(200).optional(),
    billing_model: z.enum(BILLING_MODELS).optional(),
    plan: id.optional().describe("The id of a plan of the catalogue (`GET /v1/plans`)"),
    time_zone: z.string().max(64).refine(isTimeZone, "must be an IANA time zone such as Europe/Berlin").optional(),
    anchor_day: z
      .int()
      .min(1)
      .max(31)
      .optional()
      .describe("The day of the month on which a cycle starts; in a shorter month, its last day"),
    monthly_allowance_micros: orNull(micros, "integer").optional().describe("Replaces the plan's allowance"),
    suspended: z.boolean().optional().describe("True: no new run can start"),
    upgrade_url: orNull(link, "string").optional(),
    referral_url: orNull(link, "string").optional(),
    webhook_url: orNull(webhookUrl, "string").optional().describe("Receives an event when a threshold is crossed"),
    rotate_secret: z.boolean().optional().describe("True replaces the secret that signs webhooks"),
    price_multiplier: orNull(multiplier, "string")
      .optional()
      .describe("Marks charges in credits up or down, for meters that are first priced afterwards; null: 1"),
    members_see: z
      .enum(MEMBERS_SEE)
      .optional()
      .describe("`own`: members see the balance and the cycles, and of everything else only what they used themselves"),
    test_clock: orNull(time, "string")
      .optional()
      .describe("A clock that moves only when it is moved; set at creation only"),
    region: orNull(z.enum(REGIONS), "string")
      .optional()
      .describe(
        "`eu` and `us` keep the enterprise's data in that jurisdiction; the others are a hint for where its object lives. Set at creation only",
      ),
  })
  .openapi("EnterprisePut");

export type EnterprisePut = z.infer<typeof enterprisePut>;

/** The settings that the request contains. Null clears an optional one. */
export function patchOf(sent: EnterprisePut): Partial<Settings> {
  const patch = {
    name: sent.name,
    billingModel: sent.billing_model,
    plan: sent.plan,
    timeZone: sent.time_zone,
    anchorDay: sent.anchor_day,
    allowanceOverrideMicros: sent.monthly_allowance_micros,
    suspended: sent.suspended,
    upgradeUrl: sent.upgrade_url,
    referralUrl: sent.referral_url,
    webhookUrl: sent.webhook_url,
    membersSee: sent.members_see,
    priceMultiplierMillionths:
      sent.price_multiplier === undefined ? undefined : (parseRate(sent.price_multiplier ?? "1") ?? undefined),
    region: sent.region ?? undefined,
  };
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}
