/**
 * A report as it comes over the wire, in a request or through a socket: its schema, and how it becomes the ledger's
 * Report with the price of its model. A batch is taken apart first and checked item by item.
 */
import { z } from "@hono/zod-openapi";
import type { AnyRefusal } from "../access/refusals.ts";
import type { Report } from "../ledger/debit.ts";
import type { Price } from "../ledger/prices.ts";
import { type FieldError, isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { type DebitAnswerJson, debitAnswerSchema } from "./debit-answer.ts";
import { id, surface, time, tokens } from "./fields.ts";
import { fieldErrors, problemOfRefusal } from "./problems.ts";

const MAX_REPORTS = 1_000;

const reportSchema = z
  .strictObject({
    run: id,
    model: id,
    usage: z.strictObject({
      input_tokens: tokens,
      output_tokens: tokens,
      cache_read_tokens: tokens.default(0),
      cache_write_tokens: tokens.default(0),
    }),
    surface: surface.optional(),
    workspace: id.optional(),
    user: id.optional(),
    group: id.optional(),
    started_at: time.optional(),
    final: z.boolean().default(false),
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

/** What the OpenAPI document says of the route. */
export const DEBITS_DOC = {
  body: z.union([reportSchema, batchSchema]),
  answer: z.union([debitAnswerSchema, z.object({ results: z.array(z.union([debitAnswerSchema, itemRefusalSchema])) })]),
};

const messageId = z.union([z.string(), z.number()]);

/** What the OpenAPI document says of the messages of the debit stream. */
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

/** How a model's name is priced; null when the book has no such name. */
export type FindPrice = (name: string) => { model: string; price: Price } | null;

/** Takes a body apart into its reports, unchecked; or says what is wrong with its outline. */
export function reportsOf(body: unknown): { batch: boolean; reports: unknown[] } | { errors: FieldError[] } {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return { errors: [{ path: "", message: "must be a report or {reports: […]}" }] };
  }
  if (!("reports" in body)) return { batch: false, reports: [body] };
  const { reports, ...rest } = body;
  const errors = Object.keys(rest).map((path) => ({ path, message: "unknown field" }));
  const fits = Array.isArray(reports) && reports.length >= 1 && reports.length <= MAX_REPORTS;
  if (!fits) errors.push({ path: "reports", message: `must be a list of 1 to ${MAX_REPORTS} reports` });
  return errors.length > 0 ? { errors } : { batch: true, reports: reports as unknown[] };
}

/** Checks one report and prices its model. A model without a price is for the ledger to refuse: it may know the meter. */
export function parseReport(report: unknown, find: FindPrice): Report | Refused {
  const parsed = reportSchema.safeParse(report);
  if (!parsed.success) return refuse({ code: "validation_failed", errors: fieldErrors(parsed.error) });
  const { run, model, usage, surface: from, workspace, user, group, started_at, final } = parsed.data;
  const found = find(model);
  return {
    run,
    model: found?.model ?? model,
    reportedAs: model,
    price: found?.price ?? null,
    tokens: {
      input: usage.input_tokens,
      output: usage.output_tokens,
      cacheRead: usage.cache_read_tokens,
      cacheWrite: usage.cache_write_tokens,
    },
    final,
    surface: from,
    workspace,
    user,
    group,
    startedAtMs: started_at,
  };
}

/** An answer, or the refusal, as an item of a batch and a message of a socket show it. */
export function showResult(result: DebitAnswerJson | Refused): Record<string, unknown> {
  return isRefusal(result) ? showRefusal(result.refusal) : result;
}

/** A refusal where there is no HTTP response of its own: status, code, detail, and the faults of a validation. */
export function showRefusal(refusal: AnyRefusal): Record<string, unknown> {
  const { status, code, detail } = problemOfRefusal(refusal);
  const shown = { status, code, detail };
  return refusal.code === "validation_failed" ? { ...shown, errors: refusal.errors } : shown;
}
