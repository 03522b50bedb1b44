/**
 * The protocol for debits over a socket. A message is `{id, …report}` or `{id, reports: […]}`, and its reply carries
 * the same id. Every message gets a reply, even one that cannot be parsed. This file only converts messages to reports
 * and decisions to replies. The ledger decides.
 */
import type { FieldError, Refused } from "../../ledger/refusals.ts";
import type { DebitAnswerJson } from "../../wire/debit-answer.ts";
import { problemOf } from "../../wire/problems.ts";
import {
  type FindPrice,
  mergeResults,
  type SplitReports,
  showProblem,
  showRefusal,
  showResult,
  splitReports,
} from "../../wire/report.ts";

const MAX_MESSAGE_BYTES = 1_048_576;
/** The most bytes that one UTF-16 code unit of a string takes in UTF-8. */
const MAX_BYTES_A_CHAR = 3;

type Id = string | number;

/** A parsed message: its id, and a report or a batch that has not been validated yet. */
type StreamMessage = { id: Id; body: unknown };

/** A validated message, whose reports the ledger still has to decide. */
type StreamRequest = SplitReports & { id: Id };

/** The reply to a message that does not need the ledger. */
type StreamReply = { reply: Record<string, unknown> };

export function parseMessage(message: string | ArrayBuffer): StreamMessage | StreamReply {
  if (typeof message !== "string") return refuseWith("malformed_json");
  if (isTooLarge(message)) return refuseWith("body_too_large");
  const parsed = parseJson(message);
  if (parsed === undefined) return refuseWith("malformed_json");
  const { id, ...body } = typeof parsed === "object" && parsed !== null ? (parsed as { id?: unknown }) : {};
  if (!isMessageId(id)) return invalid(null, [{ path: "id", message: "must be a string or a number" }]);
  return { id, body };
}

export function parseRequest({ id, body }: StreamMessage, find: FindPrice): StreamRequest | StreamReply {
  const split = splitReports(body, find);
  return "errors" in split ? invalid(id, split.errors) : { id, ...split };
}

/** Builds the reply to a message that the ledger could not decide. The agent then sends the message again. */
export function busyReply({ id }: StreamMessage): Record<string, unknown> {
  return { id, ...showProblem(problemOf("ledger_busy")) };
}

/** Builds the reply to a request. `decided` holds the ledger's decisions, in the order of the request's reports. */
export function replyTo(
  request: StreamRequest,
  decided: readonly (DebitAnswerJson | Refused)[],
): Record<string, unknown> {
  const results = mergeResults(request, decided).map(showResult);
  return request.batch ? { id: request.id, results } : { id: request.id, ...results[0] };
}

function refuseWith(code: "malformed_json" | "body_too_large"): StreamReply {
  return { reply: { id: null, ...showProblem(problemOf(code)) } };
}

function invalid(id: Id | null, errors: FieldError[]): StreamReply {
  return { reply: { id, ...showRefusal({ code: "validation_failed", errors }) } };
}

/** Accepts strings, and numbers that JSON can represent: 1e400, for example, parses as Infinity and is not valid. */
function isMessageId(id: unknown): id is Id {
  return typeof id === "string" || (typeof id === "number" && Number.isFinite(id));
}

function isTooLarge(message: string): boolean {
  if (message.length * MAX_BYTES_A_CHAR <= MAX_MESSAGE_BYTES) return false;
  return new TextEncoder().encode(message).byteLength > MAX_MESSAGE_BYTES;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
