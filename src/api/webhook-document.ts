/**
 * Describes in the OpenAPI document what webhooks receive: the schema of each type of message, and a sample with its
 * signature, which any library of the Standard Webhooks spec verifies with the secret of the sample.
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { Webhook } from "standardwebhooks";
import { ALERT_LEVELS } from "../ledger/alerts.ts";
import { UNITS } from "../ledger/micros.ts";
import { budgetSchema } from "../wire/budget.ts";
import { type GaugeJson, gaugeSchema } from "../wire/gauge.ts";
import {
  exhaustedNotice,
  expiringNotice,
  type Notice,
  onTrackNotice,
  recoveredNotice,
  showNotice,
  TEST_NOTICE,
  thresholdNotice,
} from "../wire/notice.ts";
import type { ApiEnv } from "./auth.ts";

/** The secret that signs the samples. It protects nothing. */
const SAMPLE_SECRET = `whsec_${btoa("the secret of the samples in docs")}`;
const SAMPLE_ID = "msg_2b7c8f0e-5d8a-4c39-8b53-1a2f6f7f9a10";
const AT_MS = Date.UTC(2026, 10, 20, 12);
const CREDIT = 1_000_000;

const SENDER = { enterprise: "acme", name: "Acme", timeZone: "Europe/Berlin", atMs: AT_MS };

const GAUGE: GaugeJson = {
  enterprise: "acme",
  name: "Acme",
  billing_model: "credits",
  unit: "credits",
  plan: "pro",
  suspended: false,
  as_of: "2026-11-20T12:00:00.000Z",
  seq: 4_711,
  cycle: {
    starts_at: "2026-10-31T23:00:00.000Z",
    ends_at: "2026-11-30T23:00:00.000Z",
    days_elapsed: 19,
    days_remaining: 11,
    days_total: 30,
  },
  monthly: { allowance_micros: 2_000 * CREDIT, used_micros: 1_500 * CREDIT, remaining_micros: 500 * CREDIT },
  bonus: { used_micros: 0, remaining_micros: 0, next_expiry: null },
  spend: null,
  used_micros: 1_500 * CREDIT,
  total_micros: 2_000 * CREDIT,
  remaining_micros: 500 * CREDIT,
  debt_micros: 0,
  held_micros: 0,
  available_micros: 500 * CREDIT,
  used_percent: 75,
  avg_per_day_micros: 77 * CREDIT,
  run_out_days: 6.49,
  run_out_at: "2026-11-26T23:45:36.000Z",
  on_track_to_run_out: true,
  alerts: [],
};

const withGauge = { gauge: gaugeSchema };
const topRow = z.object({ id: z.string(), name: z.string().nullable(), requests: z.int(), amount_micros: z.int() });

type Described = { summary: string; data: z.ZodRawShape; sample: Notice };

const MESSAGES: Record<Notice["type"], Described> = {
  "threshold.crossed": {
    summary:
      "Usage has passed a threshold. To `webhook_url`: `usage_50`, `usage_75`, `usage_90` and `exhausted`, or `cap_75`, `cap_90` and `cap_reached`. To a channel: `usage_NN` or `cap_NN` at its own thresholds.",
    data: withGauge,
    sample: thresholdNotice(75, GAUGE),
  },
  "budget.crossed": {
    summary: "A budget is 75 % used (`budget_75`), 90 % used (`budget_90`) or used up (`budget_reached`).",
    data: { budget: budgetSchema },
    sample: {
      type: "budget.crossed",
      code: "budget_75",
      level: "warning",
      message: "The budget of user Ada for today is 75 % used.",
      details: {
        budget: {
          dimension: "user",
          id: "u-17",
          name: "Ada",
          period: "day",
          limit_micros: 50 * CREDIT,
          action: "block",
          unit: "credits",
          active: true,
          used_micros: 38 * CREDIT,
          held_micros: 0,
          remaining_micros: 12 * CREDIT,
          used_percent: 76,
          resets_at: "2026-11-20T23:00:00.000Z",
          inherited: false,
        },
      },
    },
  },
  "forecast.changed": {
    summary: "At this pace nothing is left before the reset (`on_track_to_run_out`).",
    data: withGauge,
    sample: onTrackNotice(GAUGE),
  },
  "balance.exhausted": {
    summary: "Nothing is left of the credits or under the spend cap (`exhausted`).",
    data: withGauge,
    sample: exhaustedNotice({ ...GAUGE, used_micros: 2_000 * CREDIT, remaining_micros: 0, available_micros: 0 }),
  },
  "balance.recovered": {
    summary: "There is credit again, or room under the spend cap (`recovered`).",
    data: withGauge,
    sample: recoveredNotice(GAUGE),
  },
  "bonus.expiring": {
    summary: "Bonus credits expire within 7 days (`bonus_expiring`).",
    data: { ...withGauge, expires_at: z.iso.datetime(), amount_micros: z.int() },
    sample: expiringNotice(GAUGE, { atMs: Date.UTC(2026, 10, 25), micros: 100 * CREDIT }),
  },
  "cycle.reported": {
    summary: "A billing cycle has ended (`cycle_report`): what was used, and who used most.",
    data: {
      cycle: z.object({ starts_at: z.iso.datetime(), ends_at: z.iso.datetime() }),
      unit: z.enum(UNITS),
      used_micros: z.int(),
      limit_micros: z.int().nullable().describe("The allowance or the spend cap; null without a cap"),
      requests: z.int(),
      top: z
        .object({
          workspaces: z.array(topRow),
          groups: z.array(topRow),
          users: z.array(topRow),
          models: z.array(topRow),
        })
        .partial(),
    },
    sample: {
      type: "cycle.reported",
      code: "cycle_report",
      level: "info",
      message: "A billing cycle has ended.",
      details: {
        cycle: { starts_at: "2026-09-30T22:00:00.000Z", ends_at: "2026-10-31T23:00:00.000Z" },
        unit: "credits",
        used_micros: 1_240 * CREDIT,
        limit_micros: 2_000 * CREDIT,
        requests: 312,
        top: { users: [{ id: "u-17", name: "Ada", requests: 201, amount_micros: 800 * CREDIT }] },
      },
    },
  },
  test: { summary: "Somebody has asked for a test message (`test`).", data: {}, sample: TEST_NOTICE },
};

/** Adds the webhooks to the document of an app. */
export function describeWebhooks(app: OpenAPIHono<ApiEnv>): void {
  for (const [type, { summary, data, sample }] of Object.entries(MESSAGES)) {
    const envelope = showNotice(sample, SENDER);
    const schema = z.object({ type: z.literal(type), timestamp: z.iso.datetime(), data: dataSchema(data) });
    app.openAPIRegistry.registerWebhook({
      method: "post",
      path: type,
      operationId: `webhook.${type}`,
      summary,
      description: `Sent to channels of the kind \`webhook\`${TO_WEBHOOK_URL.includes(type) ? " and to `webhook_url`" : ""}. ${SIGNED}`,
      tags: ["Operator"],
      request: {
        headers: SIGNATURE_HEADERS,
        body: { content: { "application/json": { schema, example: envelope } }, required: true },
      },
      responses: { "2XX": { description: "The message is delivered. Anything else counts as a failure." } },
      "x-sample": signedSample(JSON.stringify(envelope)),
    });
  }
}

const TO_WEBHOOK_URL = ["threshold.crossed", "budget.crossed", "test"];
const SIGNED =
  "Verify the signature over the body as it was received, with a library of the Standard Webhooks spec. `x-sample` is a body with its headers, signed with the secret that it names.";

const SIGNATURE_HEADERS = z.object({
  "webhook-id": z.string().describe("The same for every attempt, so that a repetition can be recognized"),
  "webhook-timestamp": z.string().describe("When this attempt was sent, in seconds"),
  "webhook-signature": z.string(),
});

function dataSchema(data: z.ZodRawShape) {
  return z.object({
    enterprise: z.string(),
    name: z.string().optional().describe("The name of the enterprise; not in thresholds to `webhook_url`"),
    time_zone: z.string().optional(),
    code: z.string(),
    level: z.enum(ALERT_LEVELS),
    message: z.string(),
    ...data,
  });
}

function signedSample(body: string) {
  const headers = {
    "webhook-id": SAMPLE_ID,
    "webhook-timestamp": String(AT_MS / 1000),
    "webhook-signature": new Webhook(SAMPLE_SECRET).sign(SAMPLE_ID, new Date(AT_MS), body),
  };
  return { secret: SAMPLE_SECRET, headers, body };
}
