/**
 * Lists: `{rows, next_cursor}`, by keyset. A cursor is the place of the last row shown, opaque to callers; one row more
 * than the page tells whether it goes on.
 */
import { z } from "@hono/zod-openapi";
import { decodeBase64Url, encodeBase64Url } from "hono/utils/encode";

export const limit = z.coerce
  .number()
  .pipe(z.int("must be an integer").min(1, "must be at least 1").max(100, "must be at most 100"))
  .openapi({ type: "integer", minimum: 1, maximum: 100 });

/** The place where a list goes on: opaque to callers. */
export function encodeCursor(place: readonly (string | number)[]): string {
  return encodeBase64Url(new TextEncoder().encode(JSON.stringify(place)).buffer as ArrayBuffer);
}

/** A cursor whose parts have these types; anything else is a validation error. */
export function cursorOf<T extends readonly ("string" | "number")[]>(...types: T) {
  return z
    .string()
    .transform((text, context) => {
      const place = decodePlace(text);
      if (place?.length === types.length && place.every((part, i) => typeof part === types[i])) return place;
      context.addIssue({ code: "custom", message: "must be a next_cursor of this list" });
      return z.NEVER;
    })
    .openapi({ type: "string" });
}

/** A page of a list from one row more than it shows. */
export function pageOf<R, W>(
  rows: readonly R[],
  limitRows: number,
  show: (row: R) => W,
  placeOf: (row: R) => (string | number)[],
) {
  const shown = rows.slice(0, limitRows);
  const last = shown.at(-1);
  return {
    rows: shown.map(show),
    next_cursor: rows.length > limitRows && last !== undefined ? encodeCursor(placeOf(last)) : null,
  };
}

function decodePlace(text: string): (string | number)[] | null {
  try {
    const place: unknown = JSON.parse(new TextDecoder().decode(decodeBase64Url(text)));
    return Array.isArray(place) ? place : null;
  } catch {
    return null;
  }
}
