/**
 * How full the object's storage is. Cloudflare limits it to 10 GB. Above WARN_BYTES the object warns. Above FULL_BYTES no
 * new run starts and no history is imported, so that reports, grants, refunds and the end of holds still have room.
 */
import type { Sql } from "./sql.ts";

const GB = 1_000_000_000;
export const WARN_BYTES = 7 * GB;
const FULL_BYTES = 9.5 * GB;

/** Whether the storage has no room for new runs. */
export function isNearlyFull(sql: Sql): boolean {
  return sql.sizeBytes() >= FULL_BYTES;
}
