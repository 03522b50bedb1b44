/** The operator's routes to create, change, read and list enterprises, and to move test clocks. */
import type { Context } from "hono";
import { byOf, hasOperatorScope } from "../access/callers.ts";
import { firstReferralCodeOf } from "../access/referral-code.ts";
import type { Denied } from "../access/refusals.ts";
import { signingSecrets } from "../access/secrets.ts";
import { catalogOf } from "../catalog/object.ts";
import type { StateJson } from "../enterprise/answers.ts";
import { BILLING_MODELS, MEMBERS_SEE } from "../ledger/books.ts";
import { formatRate, NO_MULTIPLIER } from "../ledger/prices.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { REGIONS } from "../ledger/regions.ts";
import { enterpriseStub, findEnterprise } from "../operations/enterprise-stub.ts";
import { putEnterprise } from "../operations/provision.ts";
import { enterprisePut } from "../wire/enterprise.ts";
import { time } from "../wire/fields.ts";
import { gaugeSchema } from "../wire/gauge.ts";
import { FROM_NEWEST } from "../wire/paging.ts";
import { formatIso, formatIsoOrNull } from "../wire/time.ts";
import type { ApiEnv } from "./auth.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { problem, refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const enterpriseSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    billing_model: z.enum(BILLING_MODELS),
    plan: z.string(),
    time_zone: z.string(),
    anchor_day: z.int(),
    monthly_allowance_micros: z.int().nullable(),
    suspended: z.boolean(),
    upgrade_url: z.string().nullable(),
    referral_url: z.string().nullable(),
    webhook_url: z.string().nullable(),
    price_multiplier: z.string(),
    region: z.enum(REGIONS).nullable(),
    members_see: z.enum(MEMBERS_SEE),
    test_clock: z.iso.datetime().nullable(),
    referral_code: z.string(),
    created_at: z.iso.datetime(),
    demo: z.boolean().optional(),
    webhook_secret: z.string().optional(),
    gauge: gaugeSchema,
  })
  .openapi("Enterprise");

const listSchema = listOf(enterpriseSchema).extend({
  unreadable: z
    .array(z.string())
    .optional()
    .openapi({ description: "Ids of enterprises that are missing from this page because they could not be read." }),
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
        summary: "Create or change an enterprise",
        details:
          "Creating an enterprise requires `name`, `billing_model` and `plan`. Changing one keeps the value of every omitted field; null clears an optional field. When `webhook_url` is set to a new URL, the response contains its `webhook_secret`, which is shown only then. `test_clock` and `region` can be set only at creation.",
        refusals: ["charge_too_large", "region_unavailable", "enterprise_deleted"],
        tag: "Operator",
        access: { ...access, operatorScopes: ["enterprises"], creates: true },
        answers: { 200: answer("Changed"), 201: answer("Created") },
      }),
      request: {
        params: inEnterprise,
        body: body(enterprisePut, { name: "Acme", billing_model: "credits", plan: "pro", time_zone: "Europe/Berlin" }),
      },
    }),
    async (c) => {
      // Marking credits up or down changes prices, which is more than changing an enterprise.
      const sent = c.req.valid("json");
      if (sent.price_multiplier !== undefined && !hasOperatorScope(c.var.caller, ["prices"])) {
        return problem(c, "scope_denied");
      }
      const put = await putEnterprise(c.env, c.req.url, c.var.enterprise, sent, byOf(c.var.caller));
      if (isRefusal(put)) return refused(c, put.refusal);
      const { state, created, webhookSecret } = put;
      const shown = await showEnterprise(c, state);
      // Only this response contains the secret, which the receiver needs to verify our webhooks.
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
        access: { ...access, operatorScopes: ["enterprises", "metrics"] },
        answers: { 200: answer("The enterprise") },
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const state = await enterpriseStub(c.env, c.var.address).state(c.var.caller);
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
        access: { ...access, operatorScopes: ["enterprises", "metrics"] },
        answers: { 200: { description: "A page of enterprises", schema: listSchema } },
      }),
      request: { query: listQuery(20, "number") },
    }),
    async (c) => {
      const { limit, cursor: [beforeNumber] = [FROM_NEWEST] } = c.req.valid("query");
      const listed = await catalogOf(c.env).enterprises(beforeNumber, limit + 1);
      const page = pageOf(
        listed,
        limit,
        ({ number }) => [number],
        ({ id }) => id,
      );
      const states = await Promise.allSettled(page.rows.map((id) => readState(c, id)));
      const readable = states.flatMap((read) =>
        read.status === "rejected" || isRefusal(read.value) ? [] : [read.value],
      );
      // An enterprise that cannot be read does not fail the whole page. The response and the log name this enterprise.
      const unreadable = page.rows.filter((_, i) => states[i]?.status === "rejected");
      for (const id of unreadable) console.error(JSON.stringify({ event: "enterprise_not_read", enterprise: id }));
      return c.json({
        rows: await Promise.all(readable.map((state) => showEnterprise(c, state))),
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
        summary: "Move a test clock forward",
        details: "Everything that falls due before the new time happens in order: grants expire and cycles end.",
        refusals: ["clock_backwards", "not_a_test_clock"],
        tag: "Operator",
        access: { ...access, operatorScopes: ["enterprises"] },
        answers: { 200: answer("The enterprise, at the new time") },
      }),
      request: { params: inEnterprise, body: body(z.strictObject({ now: time }), { now: "2030-02-01T00:00:00Z" }) },
    }),
    async (c) => {
      const state = await enterpriseStub(c.env, c.var.address).moveClock(c.req.valid("json").now);
      return isRefusal(state) ? refused(c, state.refusal) : c.json(await showEnterprise(c, state));
    },
  );

/** Returns the state of an enterprise that the catalog lists. */
async function readState(c: Context<ApiEnv>, id: string): Promise<StateJson | Refused | Denied> {
  return (await (await findEnterprise(c.env, id))?.state(c.var.caller)) ?? refuse({ code: "not_found" });
}

/** Returns an enterprise in the format of the API. */
export async function showEnterprise(c: Context<ApiEnv>, state: StateJson) {
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
    price_multiplier: formatRate(settings.priceMultiplierMillionths ?? NO_MULTIPLIER),
    region: settings.region ?? null,
    members_see: settings.membersSee ?? "all",
    test_clock: formatIsoOrNull(identity.testClockMs),
    referral_code: settings.referralCode ?? (await firstReferralCodeOf(signingSecrets(c.env), identity.id)),
    created_at: formatIso(identity.createdAtMs),
    ...(identity.demo ? { demo: true } : {}),
    gauge,
  };
}
