/** The answer to a report, as JSON. */
import { z } from "@hono/zod-openapi";
import { ACTIONS, type DebitAnswer, STOP_REASONS } from "../ledger/debit.ts";
import { UNITS } from "../ledger/micros.ts";
import { MIN_REPORT_AFTER_MS, reportAfterMs } from "../ledger/pace.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";

export const debitAnswerSchema = z
  .object({
    run: z.string(),
    model: z.string().describe("The model's id in the price book; the reported name while nothing prices it"),
    tier: z.string(),
    priced: z
      .boolean()
      .describe("False while nothing prices the model: the usage is kept, and charged once it has a price"),
    charged_micros: z.int().describe("What this report charged: 0 for a duplicate, negative for a refund"),
    run_total_micros: z.int(),
    unit: z.enum(UNITS),
    remaining_micros: z.int().nullable().describe("Null for an own model without a spend cap"),
    available_micros: z
      .int()
      .nullable()
      .describe("What remains, less debt and holds; null for an own model without a spend cap"),
    used_percent: z.number().nullable(),
    action: z.enum(ACTIONS).describe("What the agent should do; `wind_down` from 95 % used"),
    reason: z.enum(STOP_REASONS).nullable(),
    seq: z.int(),
    report_after_ms: z
      .int()
      .min(MIN_REPORT_AFTER_MS)
      .describe("How long this run should collect usage before it reports again: longer if the ledger is busy"),
  })
  .openapi("DebitAnswer");

export type DebitAnswerJson = z.infer<typeof debitAnswerSchema>;

/**
 * Converts what the ledger decided of a report; a refusal stays as it is.
 *
 * @param senders how many agents send to the object
 */
export function showDecided(decided: DebitAnswer | Refused, senders: number): DebitAnswerJson | Refused {
  return isRefusal(decided) ? decided : showAnswer(decided, senders);
}

function showAnswer(answer: DebitAnswer, senders: number): DebitAnswerJson {
  return {
    run: answer.run,
    model: answer.model,
    tier: answer.tier,
    priced: answer.priced,
    charged_micros: answer.chargedMicros,
    run_total_micros: answer.runTotalMicros,
    unit: answer.unit,
    remaining_micros: answer.remainingMicros,
    available_micros: answer.availableMicros,
    used_percent: answer.usedPercent,
    action: answer.action,
    reason: answer.reason,
    seq: answer.seq,
    report_after_ms: reportAfterMs(senders, answer.nearLimit),
  };
}
