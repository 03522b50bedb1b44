/**
 * Marks an object that is being taken back to an earlier moment. While the row exists, every call is refused. It is put
 * into the file that will be left, and again into the file that takes its place. So its absence shows that the platform
 * has replaced the file.
 */
import type { Sql } from "./sql.ts";

type Restoring = {
  job: string;
  /** Whether this is the earlier file. */
  arrived: boolean;
  /** How far the earlier file has been brought up to date; JSON below 100 KB. */
  cursor: unknown;
};

export const RESTORING_STEP = [
  `CREATE TABLE restoring (only INTEGER PRIMARY KEY CHECK (only = 1), job TEXT NOT NULL,
    arrived INTEGER NOT NULL CHECK (arrived IN (0, 1)), cursor TEXT NOT NULL) STRICT`,
];

/** Returns the restore that is under way; null if there is none. */
export function loadRestoring(sql: Sql): Restoring | null {
  const row = sql.all("SELECT * FROM restoring")[0];
  if (row === undefined) return null;
  return { job: row.job as string, arrived: row.arrived === 1, cursor: JSON.parse(row.cursor as string) };
}

export function putRestoring(sql: Sql, { job, arrived, cursor }: Restoring): void {
  sql.run("INSERT OR REPLACE INTO restoring VALUES (1, ?, ?, ?)", job, Number(arrived), JSON.stringify(cursor));
}

export function deleteRestoring(sql: Sql): void {
  sql.run("DELETE FROM restoring");
}
