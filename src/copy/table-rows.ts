/**
 * Rows of one table. Each of `values` is a row in the order of `columns`. The first `keys` columns identify the row.
 */
export type TableRows = {
  table: string;
  columns: readonly string[];
  keys: number;
  values: unknown[][];
  /** Columns that never change. Updates leave them out, so that no index rows are written for them. */
  fixed?: readonly string[];
  /** Columns that rarely change. A separate statement updates them, only in rows where they differ. */
  rare?: readonly string[];
  /** Rows that are the same already are not written again, so that rows which hardly ever change cost nothing. */
  quiet?: boolean;
};
