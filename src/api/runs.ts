/**
 * The routes for runs. Agents ask whether a run may start, and release a run's hold. Readers list runs, from the copy
 * in D1, and read a run's receipt, from the enterprise's Durable Object.
 */
import type { Context } from "hono";
import type { Denied } from "../access/refusals.ts";
import { RUN_SORTS, readRunPage } from "../copy/read-runs.ts";
import type { StartRefusedJson } from "../enterprise/answers.ts";
import { windowOf } from "../ledger/calendar.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import { callEnterprise, enterpriseStub } from "../operations/enterprise-stub.ts";
import { isPriced } from "../operations/model-price.ts";
import { openUsage } from "../operations/usage-view.ts";
import { showExhausted } from "../wire/budget.ts";
import { id, micros, surface, time } from "../wire/fields.ts";
import { gaugeSchema, resetsAtOf } from "../wire/gauge.ts";
import { receiptSchema } from "../wire/receipt.ts";
import { runSchema, showRun } from "../wire/run.ts";
import { formatIso } from "../wire/time.ts";
import type { ApiEnv } from "./auth.ts";
import { cursorOf, encodeCursor, limit, listOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";
import { localDate, selectionFields } from "./usage-query.ts";

export const startSchema = z
  .strictObject({
    run: id,
    surface,
    workspace: id,
    user: id,
    group: id.optional().describe("Replaces the directory's group of the workspace"),
    started_at: time.optional().describe("Now by default"),
    model: id.optional().describe("Refused with `unknown_model` if the price book has no price for it"),
    hold_micros: micros.optional().describe("The amount to set aside for the run, in micros of the enterprise's unit"),
    hold_ttl_seconds: z
      .int()
      .min(1)
      .max(86_400)
      .optional()
      .describe("How long the hold lasts after the run's last report; 900 by default"),
  })
  .openapi("RunStart");

const holdSchema = z.object({ micros: z.int(), expires_at: z.iso.datetime() }).nullable();
export const startedSchema = z
  .object({ run: z.string(), admitted: z.literal(true), hold: holdSchema, gauge: gaugeSchema })
  .openapi("RunStarted");

const runsQuery = z
  .strictObject({
    limit: limit.default(20),
    cursor: cursorOf("number", "string").optional(),
    from: localDate.optional().describe("The first local date of `started_at`"),
    to: localDate.optional().describe("The last local date of `started_at`"),
    sort: z.enum(RUN_SORTS).default("newest").describe("The newest, or those with the largest charge, first"),
    ...selectionFields,
  })
  .refine(({ from, to }) => from === undefined || to === undefined || from <= to, {
    path: ["to"],
    message: "must not be before `from`",
  });

const inRun = inEnterprise.extend({ run: id.openapi({ example: "run-1", param: { name: "run", in: "path" } }) });

export const runRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/runs",
        name: "startRun",
        summary: "Ask whether a run may start",
        details:
          "Call this before a run starts. `hold_micros` sets credits aside for the run. The run starts only if the balance and every blocking budget of its workspace, group and user have room. Repeating the same request returns 200. Repeating it with a larger `hold_micros` raises the hold to that amount, if enough is available. The run's charges use up its hold first. A hold ends with the final report, when it is released, or `hold_ttl_seconds` after the last report (900 by default).",
        refusals: [
          "credits_exhausted",
          "insufficient_credits",
          "spend_cap_reached",
          "budget_exhausted",
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
          200: { description: "Admitted by an earlier request", schema: startedSchema },
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
      const { run, model, started_at, hold_micros, hold_ttl_seconds, ...attribution } = c.req.valid("json");
      const { caller, address } = c.var;
      if (model !== undefined && !(await isPriced(c.env, c.executionCtx, { name: model, caller, address }))) {
        return refused(c, { code: "unknown_model", model });
      }
      const asked = {
        ...attribution,
        run,
        startedAtMs: started_at,
        holdMicros: hold_micros ?? null,
        holdTtlMs: hold_ttl_seconds === undefined ? null : hold_ttl_seconds * 1000,
      };
      const started = await callEnterprise(c.env, c.var.address, async (stub) => stub.start(c.var.caller, asked));
      if (isRefusal(started)) return refuseStart(c, started);
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
        details: "The response is the same for a run without a hold.",
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
      const gauge = await callEnterprise(c.env, c.var.address, async (stub) => stub.releaseHold(c.var.caller, run));
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
        details:
          "Read from the copy, which is at most 5 seconds behind the ledger. Filters can be combined. With `model`, the runs that used the model are listed with their whole charge. With several filters, a page looks through at most 10,000 runs, so it may have fewer rows than `limit`, or none, before the last page.",
        refusals: ["copy_unavailable"],
        tag: "Readers",
        access: { scope: "read", session: true, operatorScopes: ["metrics"] },
        answers: { 200: { description: "A page of runs", schema: listOf(runSchema) } },
      }),
      request: {
        params: inEnterprise,
        query: runsQuery,
      },
    }),
    async (c) => {
      const { limit: maxRows, cursor, from, to, sort, ...selection } = c.req.valid("query");
      const usage = await openUsage(c.env, c.executionCtx, c.var, { selection });
      if (isRefusal(usage)) return refused(c, usage.refusal);
      const { timeZone } = usage.view;
      const { runs, next } = await readRunPage(usage.copy, {
        enterprise: c.var.enterprise,
        selection: usage.selection,
        startedFromMs: from === undefined ? null : windowOf(from, from, timeZone).startsAtMs,
        startedToMs: to === undefined ? null : windowOf(to, to, timeZone).endsAtMs,
        sort,
        limit: maxRows,
        after: cursor === undefined ? null : { value: cursor[0], run: cursor[1] },
      });
      return c.json({ rows: runs.map(showRun), next_cursor: next && encodeCursor([next.value, next.run]) });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/runs/{run}",
        name: "readReceipt",
        summary: "Read a run's receipt, which explains every micro",
        details:
          "Read from the ledger. A meter's draws add up to its charge. `lapsed_micros` is the part of a refund that could not be returned because its cycle or grant had ended.",
        tag: "Readers",
        access: { scope: "read", session: true, operatorScopes: ["metrics"] },
        answers: { 200: { description: "The receipt", schema: receiptSchema } },
      }),
      request: { params: inRun },
    }),
    async (c) => {
      const receipt = await enterpriseStub(c.env, c.var.address).receipt(c.var.caller, c.req.valid("param").run);
      return isRefusal(receipt) ? refused(c, receipt.refusal) : c.json(receipt);
    },
  );

/**
 * Responds to a run that may not start. A 402 carries the gauge, when the cycle or the budget resets, and where to get
 * more credits.
 */
function refuseStart(c: Context<ApiEnv>, started: Refused | Denied | StartRefusedJson): Response {
  if (!("gauge" in started)) return refused(c, started.refusal);
  const { refusal, gauge, upgradeUrl } = started;
  const upgrade = upgradeUrl === null ? {} : { upgrade_url: upgradeUrl };
  if (refusal.code === "budget_exhausted") {
    const budget = showExhausted(refusal.budget);
    return refused(c, refusal, { ...upgrade, budget, resets_at: budget.resets_at, gauge });
  }
  if (!("availableMicros" in refusal)) return refused(c, refusal);
  return refused(c, refusal, { ...upgrade, resets_at: resetsAtOf(gauge), gauge });
}
