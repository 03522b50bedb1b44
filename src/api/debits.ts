/**
 * POST …/debits: one report, or a batch. The price is looked up here, in the isolate's copy of the price book; then
 * one call to the enterprise's object decides and writes everything. Each report of a batch is answered or refused on
 * its own, in the order sent: one bad report never spoils the others.
 */

import { currentPrices } from "../catalog/current-prices.ts";
import type { DebitAnswer, Report } from "../ledger/debit.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import { DEBITS_DOC, parseReport, reportsOf, showResult } from "../wire/report.ts";
import { allow } from "./auth.ts";
import { objectOf } from "./object.ts";
import { invalid, problem, refused } from "./problem.ts";
import { declare, inEnterprise, newRouter } from "./route.ts";

const declared = declare({
  method: "post",
  path: "/v1/enterprises/{e}/debits",
  summary: "Report running totals of one meter, or of up to 1000",
  tag: "Agents",
  entrance: { scope: "debit" },
  answers: { 200: { description: "What each report charged, and what to do now", schema: DEBITS_DOC.answer } },
});

export const debitRoutes = newRouter();

debitRoutes.openAPIRegistry.registerPath({
  ...declared,
  request: { params: inEnterprise, body: { content: { "application/json": { schema: DEBITS_DOC.body } } } },
});

// The body is parsed here and not by a validator: a batch is checked item by item.
debitRoutes.post("/v1/enterprises/:e/debits", allow({ scope: "debit" }), async (c) => {
  if (!isJson(c.req.header("Content-Type"))) return problem(c, "unsupported_media_type");
  const body = parseJson(await c.req.text());
  if (body === undefined) return problem(c, "malformed_json");
  const sent = reportsOf(body);
  if ("errors" in sent) return invalid(c, sent.errors);
  const prices = await currentPrices(c.env, c.executionCtx);
  const parsed = sent.reports.map((report) => parseReport(report, prices.find));
  const reports = parsed.filter((item): item is Report => !isRefusal(item));
  const decided = reports.length === 0 ? [] : await objectOf(c).debit(c.var.caller, reports);
  if (isRefusal(decided)) return refused(c, decided.refusal);
  const answers = decided[Symbol.iterator]();
  const results = parsed.map((item) => (isRefusal(item) ? item : (answers.next().value as DebitAnswer | Refused)));
  if (sent.batch) return c.json({ results: results.map(showResult) });
  const [result] = results as [DebitAnswer | Refused];
  return isRefusal(result) ? refused(c, result.refusal) : c.json(result);
});

/** What the text says; undefined, which JSON cannot say, when it says nothing. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isJson(contentType: string | undefined): boolean {
  return /^application\/([a-z0-9.-]+\+)?json\s*(;|$)/i.test(contentType ?? "");
}
