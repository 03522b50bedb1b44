/**
 * The fields that requests are made of: ids, amounts, times, text. Each is a schema that checks what comes over the
 * wire and describes it in the OpenAPI document. zod runs without generated code here, as workerd demands.
 */
import { z } from "@hono/zod-openapi";
import { MAX_MICROS } from "../ledger/micros.ts";
import { MAX_TOKENS } from "../ledger/prices.ts";

const ID = /^[A-Za-z0-9_.:@/-]{1,128}$/;
const LAST_DATE_MS = Date.UTC(10_000, 0, 1) - 1;

export const ID_RULE = "must match ^[A-Za-z0-9_.:@/-]{1,128}$ and not be . or ..";

/** True for an id; "." and ".." are none, because no path can hold them. */
export function isId(text: string): boolean {
  return ID.test(text) && text !== "." && text !== "..";
}

export const id = z.string().refine(isId, ID_RULE).openapi({ type: "string", pattern: ID.source });

export const micros = z
  .int("must be an integer of micros")
  .min(0, "must not be negative")
  .max(MAX_MICROS, "must not pass 9007199254740991")
  .openapi({ type: "integer", minimum: 0, maximum: MAX_MICROS });

export const tokens = z
  .int("must be an integer")
  .min(0, "must not be negative")
  .max(MAX_TOKENS, "must not pass 1000000000000")
  .openapi({ type: "integer", minimum: 0, maximum: MAX_TOKENS });

/** Text for people: not empty, well-formed, without control characters. */
export const label = (longest: number) =>
  z
    .string()
    .trim()
    .min(1, "must not be empty")
    .max(longest, `must not be longer than ${longest} characters`)
    .refine((text) => text.isWellFormed() && !/[^\P{Cc}\n\t]/u.test(text), "must be plain text");

/** An ISO 8601 time, with any offset, as epoch milliseconds. */
export const time = z.iso
  .datetime({ offset: true, error: "must be an ISO 8601 time such as 2026-11-23T14:05:12Z" })
  .transform((text) => Date.parse(text))
  .refine((ms) => ms >= 0 && ms <= LAST_DATE_MS, "must lie between 1970 and 9999")
  .openapi({ type: "string", format: "date-time", example: "2026-11-23T14:05:12Z" });

/** A link that people follow: http or https, so that it can never be a script. */
export const link = z
  .url({ protocol: /^https?$/, error: "must be an http or https URL" })
  .max(2_000)
  .openapi({ type: "string", format: "uri" });

/** The same or null, which clears it. A schema that describes itself loses the null in the document unless told. */
export function orNull<T extends z.ZodType>(schema: T, type: "string" | "integer") {
  return schema.nullable().openapi({ type: [type, "null"] });
}

export const surface = z.enum(["web", "cli"]);
