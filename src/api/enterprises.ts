/**
 * Enterprises, for the operator: created and changed by PUT, read, listed, and their test clocks moved.
 */
import type { Context } from "hono";
import { referralCodeOf } from "../access/referral-code.ts";
import { webhookSecretOf } from "../access/webhook-secret.ts";
import { catalogOf } from "../catalog/object.ts";
import type { EnterpriseState } from "../enterprise/bookkeeper.ts";
import type { Settings } from "../ledger/books.ts";
import { isTimeZone } from "../ledger/cycle.ts";
import { isoOf, isoOrNull } from "../ledger/entries.ts";
import { MAX_MICROS } from "../ledger/micros.ts";
import { PLANS } from "../ledger/plans.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { label, link, micros, time } from "../wire/fields.ts";
import type { ApiEnv } from "./auth.ts";
import { gaugeSchema } from "./gauge.ts";
import { cursorOf, limit, pageOf } from "./listing.ts";
import { enterpriseObject, objectOf } from "./object.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";
import { webhookUrl } from "./webhook-url.ts";

const putSchema = z
  .strictObject({
    name: label(200).optional(),
    billing_model: z.enum(["credits", "byom"]).optional(),
    plan: z.enum(PLANS).optional(),
    time_zone: z.string().max(64).refine(isTimeZone, "must be an IANA time zone such as Europe/Berlin").optional(),
    anchor_day: z.int().min(1).max(31).optional(),
    monthly_allowance_micros: micros.nullable().optional(),
    suspended: z.boolean().optional(),
    upgrade_url: link.nullable().optional(),
    referral_url: link.nullable().optional(),
    webhook_url: webhookUrl.nullable().optional(),
    test_clock: time.nullable().optional(),
  })
  .openapi("EnterprisePut");

const enterpriseSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    billing_model: z.enum(["credits", "byom"]),
    plan: z.enum(PLANS),
    time_zone: z.string(),
    anchor_day: z.int(),
    monthly_allowance_micros: z.int().nullable(),
    suspended: z.boolean(),
    upgrade_url: z.string().nullable(),
    referral_url: z.string().nullable(),
    webhook_url: z.string().nullable(),
    test_clock: z.iso.datetime().nullable(),
    referral_code: z.string(),
    created_at: z.iso.datetime(),
    demo: z.boolean().optional(),
    webhook_secret: z.string().optional(),
    gauge: gaugeSchema,
  })
  .openapi("Enterprise");

const listSchema = z.object({ rows: z.array(enterpriseSchema), next_cursor: z.string().nullable() });
const answer = (description: string) => ({ description, schema: enterpriseSchema });
const entrance = { scope: "operator" } as const;

export const enterpriseRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "put",
        path: "/v1/enterprises/{e}",
        summary: "Create an enterprise, or change what is given of it",
        tag: "Operator",
        entrance,
        answers: { 200: answer("Changed"), 201: answer("Created") },
      }),
      request: { params: inEnterprise, body: body(putSchema) },
    }),
    async (c) => {
      const sent = c.req.valid("json");
      const patch = patchOf(sent);
      const complete = completeOf(patch);
      // Enrolled first: an enterprise that exists must be on the list, one on the list need not exist yet.
      if (complete !== null) await catalogOf(c.env).enrol(c.var.enterprise);
      const put = await objectOf(c).provision(c.var.enterprise, patch, complete, sent.test_clock);
      if (isRefusal(put)) return refused(c, put.refusal);
      const { state, created, newWebhookUrl } = put;
      const shown = await showEnterprise(c, state);
      if (newWebhookUrl === null) return c.json(shown, created ? 201 : 200);
      // Shown this once: with it the receiver checks that a webhook is ours.
      const webhook_secret = await webhookSecretOf(c.env.SIGNING_SECRET, c.var.enterprise, newWebhookUrl);
      return c.json({ ...shown, webhook_secret }, created ? 201 : 200);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}",
        summary: "Read an enterprise",
        tag: "Operator",
        entrance,
        answers: { 200: answer("The enterprise") },
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const state = await objectOf(c).state(c.var.caller);
      return isRefusal(state) ? refused(c, state.refusal) : c.json(await showEnterprise(c, state));
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises",
        summary: "List enterprises, newest first",
        tag: "Operator",
        entrance,
        answers: { 200: { description: "A page of enterprises", schema: listSchema } },
      }),
      request: { query: z.strictObject({ limit: limit.default(20), cursor: cursorOf("number").optional() }) },
    }),
    async (c) => {
      const { limit: rows, cursor } = c.req.valid("query");
      const ids = await catalogOf(c.env).enterprises(Number(cursor?.[0] ?? MAX_MICROS), rows + 1);
      const page = pageOf(
        ids,
        rows,
        ({ id }) => id,
        ({ number }) => [number],
      );
      const states = await Promise.all(page.rows.map((id) => enterpriseObject(c.env, id).state(c.var.caller)));
      const known = states.filter((state): state is EnterpriseState => !isRefusal(state));
      return c.json({
        rows: await Promise.all(known.map((state) => showEnterprise(c, state))),
        next_cursor: page.next_cursor,
      });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/test-clock",
        summary: "Move a test clock forward; everything due on the way happens, in order",
        tag: "Operator",
        entrance,
        answers: { 200: answer("The enterprise, at the new time") },
      }),
      request: { params: inEnterprise, body: body(z.strictObject({ now: time })) },
    }),
    async (c) => {
      const state = await objectOf(c).moveClock(c.req.valid("json").now);
      return isRefusal(state) ? refused(c, state.refusal) : c.json(await showEnterprise(c, state));
    },
  );

/** The enterprise as it goes over the wire. */
export async function showEnterprise(c: Context<ApiEnv>, state: EnterpriseState) {
  const { identity, settings, gauge } = state;
  return {
    id: identity.id,
    name: settings.name,
    billing_model: settings.billingModel,
    plan: settings.plan,
    time_zone: settings.timeZone,
    anchor_day: settings.anchorDay,
    monthly_allowance_micros: settings.allowanceOverrideMicros,
    suspended: settings.suspended,
    upgrade_url: settings.upgradeUrl,
    referral_url: settings.referralUrl,
    webhook_url: settings.webhookUrl,
    test_clock: isoOrNull(identity.testClockMs),
    referral_code: await referralCodeOf(c.env.SIGNING_SECRET, identity.id),
    created_at: isoOf(identity.createdAtMs),
    ...(identity.demo ? { demo: true } : {}),
    gauge,
  };
}

/** What was given, in the words of the ledger. Null clears an optional field. */
function patchOf(sent: z.infer<typeof putSchema>): Partial<Settings> {
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
  };
  return Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
}

/** The settings of a new enterprise, with the defaults; null when something that has none is missing. */
function completeOf(patch: Partial<Settings>): Settings | null {
  const { name, billingModel, plan } = patch;
  if (name === undefined || billingModel === undefined || plan === undefined) return null;
  return {
    timeZone: "UTC",
    anchorDay: 1,
    allowanceOverrideMicros: null,
    suspended: false,
    upgradeUrl: null,
    referralUrl: null,
    webhookUrl: null,
    ...patch,
    name,
    billingModel,
    plan,
  };
}
