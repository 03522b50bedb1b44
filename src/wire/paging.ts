/** Lists in pages, newest first. A list is read with one row more than a page shows: that row reveals a next page. */

/** Where a list starts that is read by descending numbers: above all of them. */
export const FROM_NEWEST = Number.MAX_SAFE_INTEGER;

/** The rows of one page, and the last of them if a next page follows, which starts after it. */
export function cutPage<R>(read: readonly R[], maxRows: number): { rows: R[]; last: R | null } {
  const rows = read.slice(0, maxRows);
  return { rows, last: read.length > maxRows ? (rows.at(-1) ?? null) : null };
}
