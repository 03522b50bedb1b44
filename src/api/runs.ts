/**
 * Runs for agents (may this one start?) and for readers: the list from the copy, the receipt from the object itself.
 */
import type { Context } from "hono";
import type { Denied } from "../access/refusals.ts";
import { currentPrices } from "../catalog/current-prices.ts";
import { readRuns } from "../copy/read.ts";
import type { StartRefused } from "../enterprise/books/commands.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { id, micros, surface, time } from "../wire/fields.ts";
import { formatIso } from "../wire/time.ts";
import type { ApiEnv } from "./auth.ts";
import { gaugeSchema } from "./gauge.ts";
import { cursorOf, limit, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

export const startSchema = z
  .strictObject({
    run: id,
    surface,
    workspace: id,
    user: id,
    group: id.optional(),
    started_at: time.optional(),
    model: id.optional(),
    hold_micros: micros.optional(),
    hold_ttl_seconds: z.int().min(1).max(86_400).optional(),
  })
  .openapi("RunStart");

const holdSchema = z.object({ micros: z.int(), expires_at: z.iso.datetime() }).nullable();
export const startedSchema = z
  .object({ run: z.string(), admitted: z.literal(true), hold: holdSchema, gauge: gaugeSchema })
  .openapi("RunStarted");

export const runSchema = z
  .object({
    run: z.string(),
    surface,
    workspace: z.string(),
    group: z.string(),
    user: z.string(),
    started_at: z.iso.datetime(),
    last_report_at: z.iso.datetime().nullable(),
    models: z.array(z.string()),
    charged_micros: z.int(),
    unit: z.enum(["credits", "usd"]),
    final: z.boolean(),
  })
  .openapi("Run");

const rates = z.object({ input: z.string(), output: z.string(), cache_read: z.string(), cache_write: z.string() });
const receiptSchema = runSchema
  .extend({
    meters: z.array(
      z.object({
        model: z.string(),
        price_book_version: z.int(),
        rates,
        credits_per_usd: z.int(),
        usage: z.object({
          input_tokens: z.int(),
          output_tokens: z.int(),
          cache_read_tokens: z.int(),
          cache_write_tokens: z.int(),
        }),
        unit: z.enum(["credits", "usd"]),
        charged_micros: z.int(),
        final: z.boolean(),
        draws: z.array(
          z.object({
            bucket: z.enum(["monthly", "grant", "debt", "spend"]),
            id: z.string(),
            micros: z.int(),
            lapsed_micros: z.int().optional(),
          }),
        ),
      }),
    ),
  })
  .openapi("Receipt");

/** Narrows a list of runs. */
export const runFilter = z.strictObject({
  workspace: id.optional(),
  group: id.optional(),
  user: id.optional(),
  surface: surface.optional(),
});

const inRun = inEnterprise.extend({ run: id.openapi({ example: "run-1", param: { name: "run", in: "path" } }) });

export const runRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/runs",
        name: "startRun",
        summary: "May this run start? With a hold, credits are set aside for it",
        details:
          "Ask before a run starts. The same again is answered 200; with a larger `hold_micros` it raises the hold to that, if it fits. A hold comes off first, and ends with the final report, its release, or `hold_ttl_seconds` after the last report (900 by default).",
        refusals: [
          "credits_exhausted",
          "insufficient_credits",
          "spend_cap_reached",
          "enterprise_suspended",
          "unknown_model",
          "run_attribution_conflict",
          "run_closed",
          "run_too_old",
          "started_in_future",
          "charge_too_large",
        ],
        tag: "Agents",
        access: { scope: "debit" },
        answers: {
          200: { description: "It was admitted before", schema: startedSchema },
          201: { description: "Admitted", schema: startedSchema },
        },
      }),
      request: {
        params: inEnterprise,
        body: body(startSchema, {
          run: "run-1",
          surface: "cli",
          workspace: "web-shop",
          user: "ada",
          model: "claude-sonnet-4-6",
          hold_micros: 5_000_000,
        }),
      },
    }),
    async (c) => {
      const { run, model, started_at, hold_micros, hold_ttl_seconds, ...said } = c.req.valid("json");
      if (model !== undefined && (await currentPrices(c.env, c.executionCtx)).find(model) === null) {
        return refused(c, { code: "unknown_model", model });
      }
      const started = await enterpriseStub(c.env, c.var.enterprise).start(c.var.caller, {
        ...said,
        run,
        startedAtMs: started_at,
        holdMicros: hold_micros ?? null,
        holdTtlMs: hold_ttl_seconds === undefined ? null : hold_ttl_seconds * 1000,
      });
      if (isRefusal(started)) return startRefused(c, started);
      const { hold, gauge, created } = started;
      const shown = hold === null ? null : { micros: hold.micros, expires_at: formatIso(hold.expiresAtMs) };
      return c.json({ run, admitted: true as const, hold: shown, gauge }, created ? 201 : 200);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "delete",
        path: "/v1/enterprises/{e}/runs/{run}/hold",
        name: "releaseHold",
        summary: "Release what is left of a run's hold",
        details: "Also where there is none.",
        tag: "Agents",
        access: { scope: "debit" },
        answers: {
          200: { description: "Released", schema: z.object({ run: z.string(), hold: z.null(), gauge: gaugeSchema }) },
        },
      }),
      request: { params: inRun },
    }),
    async (c) => {
      const { run } = c.req.valid("param");
      const gauge = await enterpriseStub(c.env, c.var.enterprise).releaseHold(c.var.caller, run);
      return isRefusal(gauge) ? refused(c, gauge.refusal) : c.json({ run, hold: null, gauge });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/runs",
        name: "listRuns",
        summary: "List runs, newest first",
        details: "From the copy, at most 5 seconds behind.",
        tag: "Readers",
        access: { scope: "read", session: true },
        answers: {
          200: {
            description: "A page of runs",
            schema: z.object({ rows: z.array(runSchema), next_cursor: z.string().nullable() }),
          },
        },
      }),
      request: {
        params: inEnterprise,
        query: runFilter.extend({ limit: limit.default(20), cursor: cursorOf("number", "string").optional() }),
      },
    }),
    async (c) => {
      const { limit: rows, cursor, ...filter } = c.req.valid("query");
      const view = await enterpriseStub(c.env, c.var.enterprise).copyView(c.var.caller);
      if (isRefusal(view)) return refused(c, view.refusal);
      const after = cursor === undefined ? null : { startedAtMs: Number(cursor[0]), run: String(cursor[1]) };
      const runs = await readRuns(c.env.DB, c.var.enterprise, filter, rows, after);
      return c.json(
        pageOf(
          runs,
          rows,
          (run) => run,
          (run) => [Date.parse(run.started_at), run.run],
        ),
      );
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/runs/{run}",
        name: "readReceipt",
        summary: "The receipt of a run: every micro explained",
        details:
          "From the ledger itself. The draws of a meter sum to its charge; `lapsed_micros` is what a refund could not give back, because its cycle or grant had ended.",
        tag: "Readers",
        access: { scope: "read", session: true },
        answers: { 200: { description: "The receipt", schema: receiptSchema } },
      }),
      request: { params: inRun },
    }),
    async (c) => {
      const receipt = await enterpriseStub(c.env, c.var.enterprise).receipt(c.var.caller, c.req.valid("param").run);
      return isRefusal(receipt) ? refused(c, receipt.refusal) : c.json(receipt);
    },
  );

/** A 402 says what is available, when that changes, and where to get more. */
function startRefused(c: Context<ApiEnv>, started: Refused | Denied | StartRefused): Response {
  if (!("gauge" in started) || !("availableMicros" in started.refusal)) return refused(c, started.refusal);
  const { refusal, gauge, upgradeUrl } = started;
  const upgrade = upgradeUrl === null ? {} : { upgrade_url: upgradeUrl };
  return refused(c, refusal, { ...upgrade, resets_at: gauge.cycle.ends_at, gauge });
}
