/** How far the move of a copy to another database has come, as its job stores it. */
import type { SweepPlace } from "../../copy/sweep.ts";
import { loadJob } from "../books/job-rows.ts";
import type { Sql } from "../books/sql.ts";

/** The name of the sliced job that moves the copy. */
export const MOVE = "move";

export type MoveCursor = {
  from: string;
  to: string;
  /** The generation of the rows in the new database; null before the first page. */
  generation: number | null;
  /** The revision of the first page that the new database has confirmed; null before. */
  sinceRevision: number | null;
  /** How many pages were written. */
  batches: number;
  /** `clear` is the number of the table whose rows are deleted from the old database. */
  place:
    | { write: { part: number; after: (string | number)[] | null } }
    | { sweep: SweepPlace }
    | "flip"
    | "announce"
    | { clear: number };
};

/** Returns the cursor of the move that is running; null if there is none. */
export function loadMove(sql: Sql): MoveCursor | null {
  const job = loadJob(sql, MOVE);
  return job?.state === "running" ? (job.cursor as MoveCursor) : null;
}

/** Returns the database that also gets every batch, because the copy is moving there; null if there is none. */
export function loadSecondShard(sql: Sql): string | null {
  const move = loadMove(sql);
  if (move === null || move.generation === null) return null;
  return move.place === "announce" || (typeof move.place === "object" && "clear" in move.place) ? null : move.to;
}
