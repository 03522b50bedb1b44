/**
 * Builds batches with everything that an enterprise's copy in D1 should hold, page by page in the order of the keys, for a
 * rebuild. Debits may commit between two pages: what they change is also in the outbox.
 */
import { type Batch, NO_TOTALS } from "../../copy/batch.ts";
import { CELL_KEY } from "../../copy/write-cube.ts";
import type { Ledger } from "../books/ledger.ts";
import { ENTRIES } from "../books/rows.ts";
import type { SqlRow } from "../books/sql.ts";
import { CUBE, MODEL_KEY, MODEL_TOTALS } from "./cube.ts";
import { headOf, readName, settingsRevision } from "./projection.ts";
import { loadRunRows } from "./run-rows.ts";
import { CYCLE_TOTALS, TIME_TOTALS } from "./totals.ts";

type Rows = Pick<Batch, "totals" | "runs" | "entries" | "names">;

type Part = {
  /** The table of the Durable Object, and the columns of its primary key. */
  table: string;
  key: readonly string[];
  /** A page of this many rows blocks the Durable Object for a few milliseconds. */
  rows: number;
  read(ledger: Ledger, rows: readonly SqlRow[]): Partial<Rows>;
};

const PARTS: readonly Part[] = [
  {
    table: "totals_time",
    key: ["span", "unit", "starts_at_ms", "surface"],
    rows: 1_000,
    read: (_, rows) => ({ totals: { ...NO_TOTALS, time: rows.map(TIME_TOTALS.read) } }),
  },
  {
    table: "totals_cycle",
    key: ["unit", "cycle_starts_at_ms", "dimension", "id"],
    rows: 1_000,
    read: (_, rows) => ({ totals: { ...NO_TOTALS, cycle: rows.map(CYCLE_TOTALS.read) } }),
  },
  {
    table: "cube",
    key: CELL_KEY,
    rows: 500,
    read: (_, rows) => ({ totals: { ...NO_TOTALS, cells: rows.map(CUBE.read) } }),
  },
  {
    table: "totals_model",
    key: MODEL_KEY,
    rows: 500,
    read: (_, rows) => ({ totals: { ...NO_TOTALS, models: rows.map(MODEL_TOTALS.read) } }),
  },
  {
    table: "runs",
    key: ["run"],
    rows: 200,
    read: (ledger, rows) => ({
      runs: loadRunRows(
        ledger,
        rows.map((row) => row.run as string),
      ),
    }),
  },
  { table: "entries", key: ["seq"], rows: 500, read: (_, rows) => ({ entries: rows.map(ENTRIES.read) }) },
  { table: "names", key: ["kind", "id"], rows: 500, read: (_, rows) => ({ names: rows.map(readName) }) },
];

/** A place between two pages: a part, and the key of the last row of the page before; null at the part's start. */
export type SnapshotPlace = { part: number; after: (string | number)[] | null };

export const SNAPSHOT_PARTS = PARTS.length;
export const SNAPSHOT_START: SnapshotPlace = { part: 0, after: null };

/** Returns the page at this place, which may be empty, and the place of the next page; null after the last one. */
export function takePage(ledger: Ledger, { part, after }: SnapshotPlace): { batch: Batch; next: SnapshotPlace | null } {
  const { sql } = ledger;
  const { table, key, rows: limit, read } = PARTS[part] as Part;
  const beyond = after === null ? "" : `WHERE (${key.join(", ")}) > (${key.map(() => "?").join(", ")})`;
  const gauge = ledger.gauge();
  return sql.transaction(() => {
    const statement = `SELECT * FROM ${table} ${beyond} ORDER BY ${key.join(", ")} LIMIT ?`;
    const rows = sql.all(statement, ...(after ?? []), limit);
    const last = rows.at(-1);
    const batch: Batch = {
      ...headOf(ledger, gauge),
      rebuild: true,
      settingsRevision: settingsRevision(sql),
      totals: NO_TOTALS,
      runs: [],
      entries: [],
      names: [],
      outboxSeq: 0,
      runsSeq: 0,
      ...read(ledger, rows),
    };
    if (last !== undefined && rows.length === limit) {
      return { batch, next: { part, after: key.map((column) => last[column] as string | number) } };
    }
    return { batch, next: part + 1 < PARTS.length ? { part: part + 1, after: null } : null };
  });
}
