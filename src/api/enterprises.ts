/**
 * Enterprises, for the operator: created and changed by PUT, read, listed, and their test clocks moved.
 */
import type { Context } from "hono";
import { referralCodeOf } from "../access/referral-code.ts";
import { catalogOf } from "../catalog/object.ts";
import type { EnterpriseState } from "../enterprise/books/ledger.ts";
import { MAX_MICROS } from "../ledger/micros.ts";
import { PLANS } from "../ledger/plans.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { putEnterprise } from "../operations/provision.ts";
import { enterprisePut } from "../wire/enterprise.ts";
import { time } from "../wire/fields.ts";
import { formatIso, formatIsoOrNull } from "../wire/time.ts";
import type { ApiEnv } from "./auth.ts";
import { gaugeSchema } from "./gauge.ts";
import { cursorOf, limit, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

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

const listSchema = z.object({
  rows: z.array(enterpriseSchema),
  next_cursor: z.string().nullable(),
  /** Ids of this page whose objects could not be asked. */
  unreadable: z.array(z.string()).optional(),
});
const answer = (description: string) => ({ description, schema: enterpriseSchema });
const access = { scope: "operator" } as const;

export const enterpriseRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "put",
        path: "/v1/enterprises/{e}",
        name: "putEnterprise",
        summary: "Create an enterprise, or change what is given of it",
        details:
          "To create one, `name`, `billing_model` and `plan` are needed. In a change what is left out keeps its value, and null clears an optional field. `webhook_secret` is answered once, when `webhook_url` is set to a new address. `test_clock` is given at creation only.",
        refusals: ["charge_too_large"],
        tag: "Operator",
        access,
        answers: { 200: answer("Changed"), 201: answer("Created") },
      }),
      request: {
        params: inEnterprise,
        body: body(enterprisePut, { name: "Acme", billing_model: "credits", plan: "pro", time_zone: "Europe/Berlin" }),
      },
    }),
    async (c) => {
      const put = await putEnterprise(c.env, c.req.url, c.var.enterprise, c.req.valid("json"));
      if (isRefusal(put)) return refused(c, put.refusal);
      const { state, created, webhookSecret } = put;
      const shown = await showEnterprise(c, state);
      // Shown this once: with it the receiver checks that a webhook is ours.
      const secret = webhookSecret === null ? {} : { webhook_secret: webhookSecret };
      return c.json({ ...shown, ...secret }, created ? 201 : 200);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}",
        name: "readEnterprise",
        summary: "Read an enterprise",
        tag: "Operator",
        access,
        answers: { 200: answer("The enterprise") },
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const state = await enterpriseStub(c.env, c.var.enterprise).state(c.var.caller);
      return isRefusal(state) ? refused(c, state.refusal) : c.json(await showEnterprise(c, state));
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises",
        name: "listEnterprises",
        summary: "List enterprises, newest first",
        refusals: ["validation_failed"],
        tag: "Operator",
        access,
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
      const states = await Promise.allSettled(page.rows.map((id) => enterpriseStub(c.env, id).state(c.var.caller)));
      const known = states.flatMap((asked) =>
        asked.status === "rejected" || isRefusal(asked.value) ? [] : [asked.value],
      );
      // One that cannot be asked stands in nobody's way, and is not passed over in silence.
      const unreadable = page.rows.filter((_, i) => states[i]?.status === "rejected");
      for (const id of unreadable) console.error(JSON.stringify({ event: "enterprise_not_read", enterprise: id }));
      return c.json({
        rows: await Promise.all(known.map((state) => showEnterprise(c, state))),
        next_cursor: page.next_cursor,
        ...(unreadable.length > 0 ? { unreadable } : {}),
      });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/test-clock",
        name: "moveTestClock",
        summary: "Move a test clock forward; everything due on the way happens, in order",
        refusals: ["clock_backwards", "not_a_test_clock"],
        tag: "Operator",
        access,
        answers: { 200: answer("The enterprise, at the new time") },
      }),
      request: { params: inEnterprise, body: body(z.strictObject({ now: time }), { now: "2030-02-01T00:00:00Z" }) },
    }),
    async (c) => {
      const state = await enterpriseStub(c.env, c.var.enterprise).moveClock(c.req.valid("json").now);
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
    test_clock: formatIsoOrNull(identity.testClockMs),
    referral_code: await referralCodeOf(c.env.SIGNING_SECRET, identity.id),
    created_at: formatIso(identity.createdAtMs),
    ...(identity.demo ? { demo: true } : {}),
    gauge,
  };
}
