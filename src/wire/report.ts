/**
 * Reports as agents send them, in a request or through a socket: their schema, and how a body becomes the ledger's
 * reports, each with the price of its model, and decisions become results.
 */
import { z } from "@hono/zod-openapi";
import type { AnyRefusal } from "../access/refusals.ts";
import type { Report } from "../ledger/debit.ts";
import type { BookTerms } from "../ledger/price-list.ts";
import type { Price } from "../ledger/prices.ts";
import { type FieldError, isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { STANDARD_TIER, TIER_PATTERN, TIER_RULE } from "../ledger/tiers.ts";
import { type DebitAnswerJson, debitAnswerSchema } from "./debit-answer.ts";
import { id, surface, time } from "./fields.ts";
import { type ReportJson, readOrdinaryReport } from "./ordinary-report.ts";
import { fieldErrors, firstErrors, MAX_ERRORS, type Problem, problemOfRefusal } from "./problems.ts";
import { parseUsage, usageSchema } from "./usage.ts";

const MAX_REPORTS = 1_000;
/** How many field errors each result of a batch lists. */
const MAX_ITEM_ERRORS = 10;

export const reportSchema = z
  .strictObject({
    run: id,
    model: id.describe("An id or alias of the price book, or a name that a router or a cloud uses for it"),
    tier: z
      .string()
      .regex(TIER_PATTERN, TIER_RULE)
      .default(STANDARD_TIER)
      .describe("The price tier of these calls; a tier that the model does not have is priced at `standard`"),
    usage: usageSchema,
    surface: surface.optional().describe("Required until the run is known"),
    workspace: id.optional().describe("Required until the run is known"),
    user: id.optional().describe("Required until the run is known"),
    group: id.optional().describe("Replaces the directory's group of the workspace; the first report fixes it"),
    started_at: time.optional().describe("Required until the run is known; at most 35 days ago"),
    final: z
      .boolean()
      .default(false)
      .describe("Closes the meter with exactly these totals, which may be lower than before"),
    estimated: z
      .boolean()
      .default(false)
      .describe("These totals are a guess, because the usage of a stream did not arrive. They lower nothing."),
  })
  .openapi("Report");

const batchSchema = z.strictObject({ reports: z.array(reportSchema).min(1).max(MAX_REPORTS) });

const itemRefusalSchema = z
  .object({
    status: z.int(),
    code: z.string(),
    detail: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .openapi("ItemRefusal");

/** The schemas of POST …/debits in the OpenAPI document. */
export const DEBITS_DOC = {
  body: z.union([reportSchema, batchSchema]),
  answer: z.union([debitAnswerSchema, z.object({ results: z.array(z.union([debitAnswerSchema, itemRefusalSchema])) })]),
};

const messageId = z.union([z.string(), z.number()]);

/** The schemas of the debit stream's messages in the OpenAPI document. */
export const STREAM_DOC = {
  message: z
    .union([
      z.strictObject({ id: messageId, ...reportSchema.shape }),
      z.strictObject({ id: messageId, ...batchSchema.shape }),
    ])
    .openapi("StreamMessage"),
  reply: z
    .union([
      z.object({ id: messageId, ...debitAnswerSchema.shape }),
      z.object({ id: messageId, results: z.array(z.union([debitAnswerSchema, itemRefusalSchema])) }),
      z.object({ id: messageId.nullable(), ...itemRefusalSchema.shape }),
    ])
    .openapi("StreamReply"),
};

/** Finds the price of a model's name at a tier. The price is null if the price book has none. */
export type FindPrice = (name: string, tier?: string) => { model: string; price: Price | null; book?: BookTerms };

/** A body of one report or of a batch. */
export type SplitReports = {
  /** True for `{reports: […]}`, false for one report. */
  batch: boolean;
  /** Every report in the order sent, parsed or refused. */
  items: (Report | Refused)[];
  /** The reports that the ledger has to decide, in the same order. */
  reports: Report[];
};

/**
 * Splits a body into the reports that the ledger has to decide and those that are refused here, each for itself: one
 * bad report does not spoil the others. A body that is neither a report nor a batch has errors.
 */
export function splitReports(body: unknown, find: FindPrice): SplitReports | { errors: FieldError[] } {
  const outline = outlineOf(body);
  if ("errors" in outline) return outline;
  const items = outline.sent.map((report) => parseReport(report, find));
  return { batch: outline.batch, items, reports: items.filter((item): item is Report => !isRefusal(item)) };
}

/** Merges what the ledger decided with the reports refused before: one result per report, in the order sent. */
export function mergeResults(
  { items, reports }: SplitReports,
  decided: readonly (DebitAnswerJson | Refused)[],
): (DebitAnswerJson | Refused)[] {
  if (decided.length !== reports.length) throw new Error(`${reports.length} reports, ${decided.length} decisions`);
  const decisions = decided.values();
  return items.map((item) => (isRefusal(item) ? item : (decisions.next().value as DebitAnswerJson | Refused)));
}

function outlineOf(body: unknown): { batch: boolean; sent: unknown[] } | { errors: FieldError[] } {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return { errors: [{ path: "", message: "must be a report or {reports: […]}" }] };
  }
  if (!("reports" in body)) return { batch: false, sent: [body] };
  const { reports, ...rest } = body;
  const errors = Object.keys(rest).map((path) => ({ path, message: "unknown field" }));
  const fits = Array.isArray(reports) && reports.length >= 1 && reports.length <= MAX_REPORTS;
  if (!fits) errors.push({ path: "reports", message: `must be a list of 1 to ${MAX_REPORTS} reports` });
  return errors.length > 0 ? { errors: firstErrors(errors, MAX_ERRORS) } : { batch: true, sent: reports as unknown[] };
}

/** Checks one report and prices its model. */
function parseReport(report: unknown, find: FindPrice): Report | Refused {
  const ordinary = readOrdinaryReport(report);
  if (ordinary !== null) return priceReport(ordinary, find);
  const parsed = reportSchema.safeParse(report);
  if (!parsed.success) return refuse({ code: "validation_failed", errors: fieldErrors(parsed.error) });
  return priceReport(parsed.data, find);
}

function priceReport(report: ReportJson, find: FindPrice): Report {
  const { run, model, tier, usage, surface: from, workspace, user, group, started_at, final, estimated } = report;
  const found = find(model, tier);
  return {
    run,
    model: found.model,
    reportedAs: model,
    tier,
    price: found.price,
    book: found.book,
    usage: parseUsage(usage),
    final,
    estimated,
    surface: from,
    workspace,
    user,
    group,
    startedAtMs: started_at,
  };
}

/** A result as an item of a batch and as a socket's reply. */
export function showResult(result: DebitAnswerJson | Refused): Record<string, unknown> {
  return isRefusal(result) ? showRefusal(result.refusal) : result;
}

/** How the object writes the whole body of a response: one answer, or the results of a batch. Null: not at all. */
export type DebitBody = "answer" | "results" | null;

/**
 * Returns the body of a response to reports that were all decided together, so that only a text crosses from the object
 * to the Worker. Null if the Worker has to look at the results: a single report that was refused has a problem document.
 */
export function writeBody(results: readonly (DebitAnswerJson | Refused)[], body: DebitBody): string | null {
  if (body === "results") return JSON.stringify({ results: results.map(showResult) });
  const [answer] = results;
  return body === null || answer === undefined || isRefusal(answer) ? null : JSON.stringify(answer);
}

/** A refusal where it has no HTTP response to itself: in a batch and in a socket's reply. */
export function showRefusal(refusal: AnyRefusal): Record<string, unknown> {
  if (refusal.code !== "validation_failed") return showProblem(problemOfRefusal(refusal));
  const errors = firstErrors(refusal.errors, MAX_ITEM_ERRORS);
  return { ...showProblem(problemOfRefusal({ ...refusal, errors })), errors };
}

export function showProblem({ status, code, detail }: Problem): Record<string, unknown> {
  return { status, code, detail };
}
