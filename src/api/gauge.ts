/** GET …/gauge: the state of an enterprise at this moment, from its object. */

import { cors } from "hono/cors";
import type { Gauge } from "../ledger/gauge.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const amount = z.int();
const instant = z.iso.datetime();

/** The gauge as the OpenAPI document shows it; the ledger makes it. */
export const gaugeSchema = z
  .object({
    enterprise: z.string(),
    name: z.string(),
    billing_model: z.enum(["credits", "byom"]),
    unit: z.enum(["credits", "usd"]),
    plan: z.enum(["free", "pro", "team", "enterprise"]),
    as_of: instant,
    seq: z.int(),
    cycle: z.object({
      starts_at: instant,
      ends_at: instant,
      days_elapsed: z.int(),
      days_remaining: z.int(),
      days_total: z.int(),
    }),
    monthly: z.object({ allowance_micros: amount, used_micros: amount, remaining_micros: amount }).nullable(),
    bonus: z
      .object({
        used_micros: amount,
        remaining_micros: amount,
        next_expiry: z.object({ at: instant, micros: amount }).nullable(),
      })
      .nullable(),
    spend: z.object({ cap_micros: amount.nullable(), used_micros: amount }).nullable(),
    used_micros: amount,
    total_micros: amount.nullable(),
    remaining_micros: amount.nullable(),
    debt_micros: amount,
    held_micros: amount,
    available_micros: amount.nullable(),
    used_percent: z.number().nullable(),
    avg_per_day_micros: amount,
    run_out_days: z.number().nullable(),
    run_out_at: instant.nullable(),
    on_track_to_run_out: z.boolean(),
    alerts: z.array(
      z.object({
        code: z.string(),
        level: z.enum(["info", "warning", "critical"]),
        message: z.string(),
        action: z.object({ label: z.string(), url: z.string() }).optional(),
      }),
    ),
  })
  .openapi("Gauge") satisfies z.ZodType<Omit<Gauge, "alerts">>;

export const gaugeRoutes = newRouter();

// The usage bar asks from its host's page. Every origin may ask, because the token authorizes; cookies are not accepted.
gaugeRoutes.use(
  "/v1/enterprises/:e/gauge",
  cors({ origin: "*", allowMethods: ["GET"], allowHeaders: ["Authorization"], maxAge: 600 }),
);

gaugeRoutes.openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/v1/enterprises/{e}/gauge",
      name: "readGauge",
      summary: "Read the gauge, an enterprise's state at this moment",
      details:
        "Read from the ledger: the number shown is the number that blocks. An embed token works on its own origin.",
      tag: "Readers",
      access: { scope: "read", session: true, embed: true },
      answers: { 200: { description: "The gauge", schema: gaugeSchema } },
    }),
    request: { params: inEnterprise },
  }),
  async (c) => {
    const gauge = await enterpriseStub(c.env, c.var.enterprise).gauge(c.var.caller);
    return isRefusal(gauge) ? refused(c, gauge.refusal) : c.json(gauge);
  },
);
