/**
 * The fields of requests: ids, amounts, times, text. Each is a schema that checks a field and describes it in the OpenAPI
 * document.
 */
import { z } from "@hono/zod-openapi";
import { SURFACES } from "../ledger/books.ts";
import { MAX_MICROS } from "../ledger/micros.ts";
import { MAX_QUANTITY } from "../ledger/prices.ts";

const ID = /^[A-Za-z0-9_.:@/-]{1,128}$/;
const LAST_DATE_MS = Date.UTC(10_000, 0, 1) - 1;

export const ID_RULE = "must be 1 to 128 letters, digits and _ . : @ / -, and not . or ..";

/** False for "." and "..", too, because URL parsing removes them from paths. */
export function isId(text: string): boolean {
  return ID.test(text) && text !== "." && text !== "..";
}

export const id = z.string().refine(isId, ID_RULE).openapi({ type: "string", pattern: ID.source });

export const micros = z
  .int("must be an integer of micros")
  .min(0, "must not be negative")
  .max(MAX_MICROS, `must be at most ${MAX_MICROS}`)
  .openapi({ type: "integer", minimum: 0, maximum: MAX_MICROS });

export const tokens = z
  .int("must be an integer")
  .min(0, "must not be negative")
  .max(MAX_QUANTITY, `must be at most ${MAX_QUANTITY}`)
  .openapi({ type: "integer", minimum: 0, maximum: MAX_QUANTITY });

/** Text for people: not empty, well-formed, without control characters other than newlines and tabs. */
export const label = (maxLength: number) =>
  z
    .string()
    .trim()
    .min(1, "must not be empty")
    .max(maxLength, `must be at most ${maxLength} characters`)
    .refine((text) => text.isWellFormed() && !/[^\P{Cc}\n\t]/u.test(text), "must not contain control characters");

/** An ISO 8601 time with any offset; parsed to epoch milliseconds. */
export const time = z.iso
  .datetime({ offset: true, error: "must be an ISO 8601 time such as 2026-11-23T14:05:12Z" })
  .transform((text) => Date.parse(text))
  .refine((ms) => ms >= 0 && ms <= LAST_DATE_MS, "must be between 1970 and 9999")
  .openapi({ type: "string", format: "date-time", example: "2026-11-23T14:05:12Z" });

/**
 * Matches what a reader of a URL cannot see: white space, control characters and others without a shape. URL parsing
 * drops some of them without a word, so a host could differ from what the text seems to say.
 */
const UNSEEN = /[\s\p{Z}\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/u;

const UNSEEN_RULE = "must not contain white space or invisible characters";

export function hasUnseen(text: string): boolean {
  return UNSEEN.test(text);
}

/** A link for people: http or https, so that it can never run a script. Spaces around it are removed. */
export const link = z
  .string()
  .trim()
  .max(2_000)
  .refine((text) => !hasUnseen(text), UNSEEN_RULE)
  .pipe(z.url({ protocol: /^https?$/, error: "must be an http or https URL" }))
  .openapi({ type: "string", format: "uri" });

/**
 * The same field, or null to clear it. `type` repeats the type for the OpenAPI document, which otherwise loses the null
 * of a schema that has its own description.
 */
export function orNull<T extends z.ZodType>(schema: T, type: "string" | "integer") {
  return schema.nullable().openapi({ type: [type, "null"] });
}

export const surface = z.enum(SURFACES);
