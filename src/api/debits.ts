/**
 * POST …/debits: one report, or a batch. The price is looked up here, in the isolate's copy of the price book; then
 * one call to the enterprise's object decides and writes everything. Each report of a batch is answered or refused on
 * its own, in the order sent: one bad report never spoils the others.
 */
import type { HonoRequest } from "hono";
import { currentPrices } from "../catalog/current-prices.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import type { DebitAnswerJson } from "../wire/debit-answer.ts";
import { DEBITS_DOC, mergeResults, showResult, splitReports } from "../wire/report.ts";
import { allow } from "./auth.ts";
import { invalid, problem, refused } from "./problem.ts";
import { body, declare, inEnterprise, newRouter } from "./route.ts";

const declared = declare({
  method: "post",
  path: "/v1/enterprises/{e}/debits",
  name: "reportDebits",
  summary: "Report running totals of one meter, or of up to 1000",
  details:
    "A report carries the running totals of one meter (run, model), not increments: send as often as you like, and again what had no answer; order, loss and repetition change nothing. It is never refused for lack of credit. `final` closes the meter with exactly its totals. `surface`, `workspace`, `user` and `started_at` may be left out once the run is known. A batch is answered in its order, each report by an answer or by `{status, code, detail}`; one bad report spoils no other.",
  refusals: ["unknown_model", "run_attribution_conflict", "run_too_old", "started_in_future", "charge_too_large"],
  tag: "Agents",
  entrance: { scope: "debit" },
  answers: { 200: { description: "What each report charged, and what to do now", schema: DEBITS_DOC.answer } },
});

const EXAMPLE = {
  run: "run-1",
  model: "claude-sonnet-4-6",
  usage: { input_tokens: 1_200, output_tokens: 80, cache_read_tokens: 30_000, cache_write_tokens: 0 },
  surface: "cli",
  workspace: "web-shop",
  user: "ada",
} as const;

export const debitRoutes = newRouter();

debitRoutes.openAPIRegistry.registerPath({
  ...declared,
  request: { params: inEnterprise, body: body(DEBITS_DOC.body, EXAMPLE) },
});

// The body is parsed here and not by a validator: a batch is checked item by item.
debitRoutes.post("/v1/enterprises/:e/debits", allow({ scope: "debit" }), async (c) => {
  if (!isJson(c.req.header("Content-Type"))) return problem(c, "unsupported_media_type");
  const parsedBody = await readJson(c.req);
  if (parsedBody === undefined) return problem(c, "malformed_json");
  const { find } = await currentPrices(c.env, c.executionCtx);
  const split = splitReports(parsedBody, find);
  if ("errors" in split) return invalid(c, split.errors);
  const { reports } = split;
  const decided =
    reports.length === 0 ? [] : await enterpriseStub(c.env, c.var.enterprise).debit(c.var.caller, reports);
  if (isRefusal(decided)) return refused(c, decided.refusal);
  const results = mergeResults(split, decided);
  if (split.batch) return c.json({ results: results.map(showResult) });
  const [result] = results as [DebitAnswerJson | Refused];
  return isRefusal(result) ? refused(c, result.refusal) : c.json(result);
});

/** What the body says; undefined, which JSON cannot say, when it says nothing or breaks off. */
async function readJson(request: HonoRequest): Promise<unknown> {
  try {
    return JSON.parse(await request.text());
  } catch {
    return undefined;
  }
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/([a-z0-9.-]+\+)?json\s*(;|$)/i.test(contentType ?? "");
}
