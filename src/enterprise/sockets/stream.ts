/**
 * Debits through a socket: a message is `{id, …report}` or `{id, reports: […]}`, its reply carries the same id. What
 * cannot be read is answered too, never dropped. Here messages become reports and decisions become replies; deciding
 * is the ledger's.
 */
import type { Report } from "../../ledger/debit.ts";
import { isRefusal, type Refused, refuse } from "../../ledger/refusals.ts";
import type { DebitAnswerJson } from "../../wire/debit-answer.ts";
import { type FindPrice, parseReport, reportsOf, showRefusal, showResult } from "../../wire/report.ts";

const MAX_MESSAGE_BYTES = 1_048_576;
/** No letter of a string takes more bytes than this in UTF-8. */
const MOST_BYTES_A_CHAR = 3;

type Id = string | number;

/** A message taken apart; `items` are in the order sent, refused ones among them. */
export type StreamRequest = { id: Id; batch: boolean; items: (Report | Refused)[] };

/** A message that is answered without the ledger. */
export type StreamReply = { reply: Record<string, unknown> };

export function parseMessage(message: string | ArrayBuffer, find: FindPrice): StreamRequest | StreamReply {
  if (typeof message !== "string") return malformed();
  if (isTooLarge(message)) {
    const detail = "A message holds at most 1048576 bytes.";
    return { reply: { id: null, status: 413, code: "body_too_large", detail } };
  }
  const parsed = parseJson(message);
  if (parsed === undefined) return malformed();
  const { id, ...body } = typeof parsed === "object" && parsed !== null ? (parsed as { id?: unknown }) : {};
  if (!isMessageId(id)) {
    return {
      reply: {
        id: null,
        ...showRefusal({
          code: "validation_failed",
          errors: [{ path: "id", message: "must be a string or a number" }],
        }),
      },
    };
  }
  const sent = reportsOf(body);
  if ("errors" in sent) return { reply: { id, ...showRefusal({ code: "validation_failed", errors: sent.errors }) } };
  return { id, batch: sent.batch, items: sent.reports.map((report) => parseReport(report, find)) };
}

/** The reports of a message that the ledger has to decide. */
export function reportsToDecide(request: StreamRequest): Report[] {
  return request.items.filter((item): item is Report => !isRefusal(item));
}

/** The reply, from what the ledger decided of the reports in their order. */
export function replyTo(
  request: StreamRequest,
  decided: readonly (DebitAnswerJson | Refused)[],
): Record<string, unknown> {
  const answers = decided[Symbol.iterator]();
  const results = request.items.map((item) =>
    showResult(isRefusal(item) ? item : ((answers.next().value as DebitAnswerJson | Refused | undefined) ?? LOST)),
  );
  return request.batch ? { id: request.id, results } : { id: request.id, ...results[0] };
}

const LOST = refuse({ code: "not_found" });

/** A string, or a number that JSON can carry back: 1e400 is none. */
function isMessageId(id: unknown): id is Id {
  return typeof id === "string" || (typeof id === "number" && Number.isFinite(id));
}

function isTooLarge(message: string): boolean {
  if (message.length * MOST_BYTES_A_CHAR <= MAX_MESSAGE_BYTES) return false;
  return new TextEncoder().encode(message).byteLength > MAX_MESSAGE_BYTES;
}

function malformed(): StreamReply {
  return { reply: { id: null, status: 400, code: "malformed_json", detail: "The message cannot be parsed as JSON." } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
