/** The rows of the usage cube in D1, in the order of their columns. */
import type { CubeCell, ModelTotal, Totals } from "./batch.ts";
import type { TableRows } from "./table-rows.ts";

/** The columns that identify a cell, after the enterprise. The day comes first: rows are deleted by their day. */
export const CELL_KEY = [
  "day_starts_at_ms",
  "cycle_starts_at_ms",
  "unit",
  "workspace",
  "group_id",
  "user",
  "model",
  "tier",
  "surface",
] as const;

const CELL_COLUMNS = [
  ...CELL_KEY,
  "amount_micros",
  "cycle_micros",
  "requests",
  "model_requests",
  "meter_requests",
  "savings_micros",
  "kinds",
  "hours",
  "revision",
] as const;

const MODEL_COLUMNS = [
  "unit",
  "cycle_starts_at_ms",
  "model",
  "tier",
  "cycle_micros",
  "model_requests",
  "savings_micros",
  "kinds",
  "revision",
] as const;

export function cubeRows({ cells, models }: Totals): TableRows[] {
  return [
    { table: "usage_cube", columns: CELL_COLUMNS, keys: CELL_KEY.length, values: cells.map(cellToList) },
    { table: "usage_by_model", columns: MODEL_COLUMNS, keys: 4, values: models.map(modelToList) },
  ];
}

function cellToList(cell: CubeCell): unknown[] {
  return [
    cell.dayStartsAtMs,
    cell.cycleStartsAtMs,
    cell.unit,
    cell.workspace,
    cell.group,
    cell.user,
    cell.model,
    cell.tier,
    cell.surface,
    cell.amountMicros,
    cell.cycleMicros,
    cell.requests,
    cell.modelRequests,
    cell.meterRequests,
    cell.savingsMicros,
    JSON.stringify(cell.kinds),
    JSON.stringify(cell.hours),
    cell.revision,
  ];
}

function modelToList(total: ModelTotal): unknown[] {
  return [
    total.unit,
    total.cycleStartsAtMs,
    total.model,
    total.tier,
    total.cycleMicros,
    total.modelRequests,
    total.savingsMicros,
    JSON.stringify(total.kinds),
    total.revision,
  ];
}
