/**
 * The lines of an export and its cursors. An export first lists all rows in the order of their keys, and then those that
 * changed meanwhile, in the order of their changes. A cursor contains a place in each of the two.
 */
import { z } from "@hono/zod-openapi";
import { decodeBase64Url, encodeBase64Url } from "hono/utils/encode";

export const EXPORT_KINDS = ["runs", "entries", "usage"] as const;
export type ExportKind = (typeof EXPORT_KINDS)[number];

/** One line: a row with its id, or the id of a row that was removed. */
export type ExportLine = { id: string; removed?: true } & Record<string, unknown>;

export type ExportCursor = {
  kind: ExportKind;
  /** How often the enterprise's object had been restored. A restored object does not know what came after. */
  restores: number;
  /** The key of the last row that was listed; null before the first one. */
  after: string | number | null;
  /** Whether all rows were listed. */
  listed: boolean;
  /** The number of the last change that was listed. */
  change: number;
};

const cursorSchema = z.strictObject({
  kind: z.enum(EXPORT_KINDS),
  restores: z.int().min(0),
  after: z.union([z.string(), z.int(), z.null()]),
  listed: z.boolean(),
  change: z.int().min(0),
});

export function encodeExportCursor(cursor: ExportCursor): string {
  return encodeBase64Url(new TextEncoder().encode(JSON.stringify(cursor)).buffer as ArrayBuffer);
}

/** Returns the cursor of this text; null if it is none. */
export function decodeExportCursor(text: string): ExportCursor | null {
  try {
    const parsed = cursorSchema.safeParse(JSON.parse(new TextDecoder().decode(decodeBase64Url(text))));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
