/**
 * The usage cube of the Durable Object: the usage on each local day by workspace, group, user, model, tier and surface,
 * and its sums by cycle, model and tier. Rows are absolute and have the seq up to which they are complete as revision,
 * like the totals. cube-sums.ts folds the outbox into it. Debits of a release without a cube are not in it: `cubeGap`
 * says when that was.
 */
import type { CubeCell, KindSums, ModelTotal } from "../../copy/batch.ts";
import { CELL_KEY } from "../../copy/write-cube.ts";
import type { Surface } from "../../ledger/books.ts";
import { KINDS } from "../../ledger/kinds.ts";
import { limitSum, type Unit } from "../../ledger/micros.ts";
import type { Sql } from "../books/sql.ts";
import { type Columns, Table } from "../books/table.ts";

export const NO_USE = {
  amountMicros: 0,
  cycleMicros: 0,
  requests: 0,
  modelRequests: 0,
  meterRequests: 0,
  savingsMicros: 0,
};

export const MODEL_KEY = ["unit", "cycle_starts_at_ms", "model", "tier"];

const CUBE_KEY: Columns<CubeCell> = {
  day_starts_at_ms: (cell) => cell.dayStartsAtMs,
  cycle_starts_at_ms: (cell) => cell.cycleStartsAtMs,
  unit: (cell) => cell.unit,
  workspace: (cell) => cell.workspace,
  group_id: (cell) => cell.group,
  user: (cell) => cell.user,
  model: (cell) => cell.model,
  tier: (cell) => cell.tier,
  surface: (cell) => cell.surface,
};

export const CUBE = new Table<CubeCell>({
  name: "cube",
  key: CUBE_KEY,
  changing: {
    amount_micros: (cell) => cell.amountMicros,
    cycle_micros: (cell) => cell.cycleMicros,
    requests: (cell) => cell.requests,
    model_requests: (cell) => cell.modelRequests,
    meter_requests: (cell) => cell.meterRequests,
    savings_micros: (cell) => cell.savingsMicros,
    kinds: (cell) => JSON.stringify(cell.kinds),
    hours: (cell) => JSON.stringify(cell.hours),
    revision: (cell) => cell.revision,
  },
  read: (row) => ({
    unit: row.unit as Unit,
    dayStartsAtMs: row.day_starts_at_ms as number,
    cycleStartsAtMs: row.cycle_starts_at_ms as number,
    workspace: row.workspace as string,
    group: row.group_id as string,
    user: row.user as string,
    model: row.model as string,
    tier: row.tier as string,
    surface: row.surface as Surface,
    amountMicros: row.amount_micros as number,
    cycleMicros: row.cycle_micros as number,
    requests: row.requests as number,
    modelRequests: row.model_requests as number,
    meterRequests: row.meter_requests as number,
    savingsMicros: row.savings_micros as number,
    kinds: JSON.parse(row.kinds as string) as KindSums,
    hours: JSON.parse(row.hours as string) as CubeCell["hours"],
    revision: row.revision as number,
  }),
});

export const MODEL_TOTALS = new Table<ModelTotal>({
  name: "totals_model",
  key: {
    unit: (total) => total.unit,
    cycle_starts_at_ms: (total) => total.cycleStartsAtMs,
    model: (total) => total.model,
    tier: (total) => total.tier,
  },
  changing: {
    cycle_micros: (total) => total.cycleMicros,
    model_requests: (total) => total.modelRequests,
    savings_micros: (total) => total.savingsMicros,
    kinds: (total) => JSON.stringify(total.kinds),
    revision: (total) => total.revision,
  },
  read: (row) => ({
    unit: row.unit as Unit,
    cycleStartsAtMs: row.cycle_starts_at_ms as number,
    model: row.model as string,
    tier: row.tier as string,
    cycleMicros: row.cycle_micros as number,
    modelRequests: row.model_requests as number,
    savingsMicros: row.savings_micros as number,
    kinds: JSON.parse(row.kinds as string) as KindSums,
    revision: row.revision as number,
  }),
});

/** Returns these cells with what is stored under the same keys added. */
export function mergeCells(sql: Sql, cells: CubeCell[]): CubeCell[] {
  addStored(CUBE.loadSame(sql, cells), cells, cellKey, (cell, stored) => {
    addCell(cell, stored);
    cell.revision = Math.max(cell.revision, stored.revision);
  });
  return cells;
}

/** Returns the id of a cell in the export's log: its key as JSON. */
export function cellId(cell: CubeCell): string {
  return JSON.stringify(Object.values(CUBE_KEY).map((of) => of(cell)));
}

/** Loads the rows of the cube after a key, in the order of the key. */
export function loadCells(sql: Sql, after: readonly (string | number)[] | null, limit: number): CubeCell[] {
  const columns = CELL_KEY.join(", ");
  const beyond = after === null ? "" : `WHERE (${columns}) > (${CELL_KEY.map(() => "?").join(", ")})`;
  return sql.all(`SELECT * FROM cube ${beyond} ORDER BY ${columns} LIMIT ?`, ...(after ?? []), limit).map(CUBE.read);
}

/** Loads the totals of models after a key of unit, cycle, model and tier, in the order of that key. */
export function loadModelTotals(sql: Sql, after: readonly (string | number)[] | null, limit: number): ModelTotal[] {
  const columns = MODEL_KEY.join(", ");
  const beyond = after === null ? "" : `WHERE (${columns}) > (?, ?, ?, ?)`;
  const statement = `SELECT * FROM totals_model ${beyond} ORDER BY ${columns} LIMIT ?`;
  return sql.all(statement, ...(after ?? []), limit).map(MODEL_TOTALS.read);
}

export function addCell(cell: CubeCell, more: CubeCell): void {
  cell.amountMicros = limitSum(cell.amountMicros + more.amountMicros);
  cell.requests += more.requests;
  cell.meterRequests += more.meterRequests;
  const hours = { ...cell.hours };
  for (const [minute, micros] of Object.entries(more.hours)) hours[minute] = (hours[minute] ?? 0) + micros;
  cell.hours = hours;
  addModel(cell, more);
}

export function addModel(total: ModelTotal, more: ModelTotal): void {
  total.cycleMicros += more.cycleMicros;
  total.modelRequests += more.modelRequests;
  total.savingsMicros = limitSum(total.savingsMicros + more.savingsMicros);
  total.kinds = addKinds(total.kinds, more.kinds);
}

/** Adds by kind, in the order of rule R1, so that the same sums are always the same text. */
export function addKinds(a: KindSums, b: KindSums): KindSums {
  const sums: KindSums = {};
  for (const { kind } of KINDS) {
    const [x, y] = [a[kind], b[kind]];
    if (x === undefined && y === undefined) continue;
    sums[kind] = [limitSum((x?.[0] ?? 0) + (y?.[0] ?? 0)), (x?.[1] ?? 0) + (y?.[1] ?? 0)];
  }
  return sums;
}

export function addStored<T>(
  stored: readonly T[],
  touched: readonly T[],
  keyOf: (row: T) => string,
  add: Adding<T>,
): void {
  const byKey = new Map(touched.map((row) => [keyOf(row), row]));
  for (const row of stored) {
    const changed = byKey.get(keyOf(row));
    if (changed !== undefined) add(changed, row);
  }
}

type Adding<T> = (row: T, more: T) => void;

export function cellKey(cell: Omit<CubeCell, keyof typeof NO_USE | "kinds" | "hours" | "revision">): string {
  return `${modelKey(cell)} ${cell.dayStartsAtMs} ${cell.workspace} ${cell.group} ${cell.user} ${cell.surface}`;
}

export function modelKey({
  unit,
  cycleStartsAtMs,
  model,
  tier,
}: Pick<ModelTotal, "unit" | "cycleStartsAtMs" | "model" | "tier">): string {
  return `${unit} ${cycleStartsAtMs} ${model} ${tier}`;
}
