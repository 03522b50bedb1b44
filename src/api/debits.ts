/**
 * POST …/debits takes one report or a batch. The Worker looks up prices in this isolate's cached price book. One call
 * to the enterprise's Durable Object then decides and writes everything. Each report of a batch gets its own result, in
 * the order sent.
 */
import type { HonoRequest } from "hono";
import { currentPrices } from "../catalog/current-prices.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import { callEnterprise } from "../operations/enterprise-stub.ts";
import type { DebitAnswerJson } from "../wire/debit-answer.ts";
import { completeAnswer, forPreviousObject } from "../wire/previous-release.ts";
import {
  DEBITS_DOC,
  type DebitBody,
  mergeResults,
  type SplitReports,
  showResult,
  splitReports,
} from "../wire/report.ts";
import { answerText } from "./every-response.ts";
import { invalid, problem, refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter } from "./route.ts";

const EXAMPLE = {
  run: "run-1",
  model: "claude-sonnet-4-6",
  usage: { input_tokens: 1_200, output_tokens: 80, cache_read_tokens: 30_000, cache_write_tokens: 0 },
  surface: "cli",
  workspace: "web-shop",
  user: "ada",
} as const;

const declared = declare({
  method: "post",
  path: "/v1/enterprises/{e}/debits",
  name: "reportDebits",
  summary: "Report the running totals of one meter, or of up to 1,000",
  details:
    "A report carries a meter's running totals (one run's use of one model at one price tier), not increments. Send one as often as you like, and resend any that got no response. Reports may be lost, repeated or out of order without changing the result. A report is never refused for lack of credits. `final` closes the meter with exactly its totals. Usage of a model that nothing prices is kept with `priced: false`, and is charged once the model has a price. Once the run is known, you may omit `surface`, `workspace`, `user` and `started_at`. The results of a batch are in the order sent. Each result is either what a single report would return or `{status, code, detail}`, so a bad report does not affect the others.",
  refusals: [
    "unknown_model",
    "run_attribution_conflict",
    "run_too_old",
    "started_in_future",
    "too_many_models",
    "charge_too_large",
  ],
  tag: "Agents",
  access: { scope: "debit" },
  answers: { 200: { description: "What each report charged, and what to do next", schema: DEBITS_DOC.answer } },
});

// The handler parses the body itself, because it checks a batch report by report. The body's schema is therefore not
// part of this route. It is registered below, only for the OpenAPI document. authorize() checks the path.
export const debitRoutes = newRouter().openapi(createRoute({ ...declared, hide: true }), async (c) => {
  if (!isJson(c.req.header("Content-Type"))) return problem(c, "unsupported_media_type");
  const sent = await readJson(c.req);
  if (sent === undefined) return problem(c, "malformed_json");
  const { find } = await currentPrices(c.env, c.executionCtx);
  const split = splitReports(sent, find);
  if ("errors" in split) return invalid(c, split.errors);
  const { reports } = split;
  const decided =
    reports.length === 0
      ? []
      : await callEnterprise(c.env, c.get("address"), async (stub) =>
          stub.debit(c.get("caller"), reports.map(forPreviousObject), bodyFor(split)),
        );
  if (typeof decided === "string") return answerText(c, decided);
  if (isRefusal(decided)) return refused(c, decided.refusal);
  const results = mergeResults(split, decided.map(completeAnswer));
  if (split.batch) return c.json({ results: results.map(showResult) });
  const [result] = results as [DebitAnswerJson | Refused];
  return isRefusal(result) ? refused(c, result.refusal) : c.json(result);
});

debitRoutes.openAPIRegistry.registerPath({
  ...declared,
  request: { params: inEnterprise, body: body(DEBITS_DOC.body, EXAMPLE) },
});

/** Which body the object can write by itself: none if some reports of a batch were refused before they reached it. */
function bodyFor({ batch, items, reports }: SplitReports): DebitBody {
  if (!batch) return "answer";
  return items.length === reports.length ? "results" : null;
}

/** Returns the parsed body; undefined if the body is not valid JSON or the connection breaks. */
async function readJson(request: HonoRequest): Promise<unknown> {
  try {
    return JSON.parse(await request.raw.text());
  } catch {
    return undefined;
  }
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/([a-z0-9.-]+\+)?json\s*(;|$)/i.test(contentType ?? "");
}
