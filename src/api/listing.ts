/**
 * Paginates lists, in the format `{rows, next_cursor}`. A cursor contains the position of the last row shown (keyset
 * pagination). It is encoded so that callers treat it as opaque and pass it back unchanged.
 */
import { z } from "@hono/zod-openapi";
import { decodeBase64Url, encodeBase64Url } from "hono/utils/encode";
import { cutPage } from "../wire/paging.ts";

type PartType = "string" | "number";
type Position<T extends readonly PartType[]> = { -readonly [K in keyof T]: T[K] extends "number" ? number : string };

/** Returns the schema of one page. */
export function listOf<T extends z.ZodType>(row: T) {
  return z.object({ rows: z.array(row), next_cursor: z.string().nullable() });
}

/**
 * Returns the schema of a list's query parameters.
 * @param types the types of the cursor's parts
 */
export function listQuery<const T extends readonly PartType[]>(defaultLimit: number, ...types: T) {
  return z.strictObject({ limit: limit.default(defaultLimit), cursor: cursorOf(...types).optional() });
}

/**
 * Returns one page of a list.
 * @param read the rows read: one more than `maxRows` if there is a next page
 * @param positionOf returns the parts of a row's cursor
 * @param show converts a row to the format of the API
 */
export function pageOf<R, W>(
  read: readonly R[],
  maxRows: number,
  positionOf: (row: R) => (string | number)[],
  show: (row: R) => W,
): { rows: W[]; next_cursor: string | null } {
  const { rows, last } = cutPage(read, maxRows);
  return { rows: rows.map(show), next_cursor: last === null ? null : encodeCursor(positionOf(last)) };
}

export const limit = z.coerce
  .number()
  .pipe(z.int("must be an integer").min(1, "must be at least 1").max(100, "must be at most 100"))
  .openapi({ type: "integer", minimum: 1, maximum: 100 });

/** Returns the schema of a cursor. @param types the types of its parts */
export function cursorOf<const T extends readonly PartType[]>(...types: T) {
  return z
    .string()
    .transform((text, context) => {
      const position = decodeCursor(text);
      const fits = position?.length === types.length && position.every((part, i) => typeof part === types[i]);
      if (fits) return position as Position<T>;
      context.addIssue({ code: "custom", message: "must be a next_cursor of this list" });
      return z.NEVER;
    })
    .openapi({ type: "string" });
}

export function encodeCursor(position: readonly (string | number)[]): string {
  return encodeBase64Url(new TextEncoder().encode(JSON.stringify(position)).buffer as ArrayBuffer);
}

function decodeCursor(text: string): unknown[] | null {
  try {
    const position: unknown = JSON.parse(new TextDecoder().decode(decodeBase64Url(text)));
    return Array.isArray(position) ? position : null;
  } catch {
    return null;
  }
}
