/**
 * When nothing is on its way to the copy, every row of it equals the ledger's (invariant D1). The comparison shares no
 * code with the ledger's audit, and uses totals that the reference has summed debit by debit.
 */
import { copyAsOfMs } from "../../src/enterprise/copy/projection.ts";
import { type CopyRow, NEIGHBOUR } from "./copy-db.ts";
import { maySilentRunEnd, type ReferenceMeter, type ReferenceRun, totalOf } from "./reference-meter.ts";
import { DAY_MS } from "./scenario.ts";
import { RUN_HISTORY_MS } from "./starts.ts";
import type { World } from "./world.ts";

/** After a failure of the network, the pauses between retries grow up to a minute. */
const SETTLED_MS = 120_000;
const BEHIND_MS = 5_000;
/** Hourly totals of this age may be deleted. */
const HOURS_KEPT_MS = 15 * DAY_MS;

export function checkCopy(world: World): void {
  checkTime(world, "hour", "usage_hourly");
  checkTime(world, "day", "usage_daily");
  checkCycles(world);
  checkCube(world);
  const { ledger } = world.object;
  // Entries of closed runs are not copied.
  const copied = `facts NOT LIKE '{"type":"run_closed"%' AND at_ms >= ${ledger.nowMs() - RUN_HISTORY_MS}`;
  checkSameRows(world, "entries", "seq, at_ms, caused_by, facts", "seq", copied);
  checkSameRows(world, "names", "kind, id, name, group_id", "kind, id", "true");
  checkRuns(world);
  checkHead(world);
  const { copy } = world.platform;
  world.same("the neighbour's rows", copy.rows("SELECT * FROM runs WHERE enterprise = ?", NEIGHBOUR.enterprise), [
    NEIGHBOUR,
  ]);
}

/** R11: while the copy can be written, it is at most five seconds behind. */
export function checkFreshness(world: World): void {
  const { platform, object } = world;
  if (world.nowMs - platform.network.normalSinceMs < SETTLED_MS) return;
  const behindMs = object.ledger.nowMs() - copyAsOfMs(object.ledger);
  if (behindMs > BEHIND_MS) world.fail(`the copy is ${behindMs} ms behind while nothing prevents writing it`);
  world.count("copy_found_fresh");
}

function checkTime(world: World, span: string, table: string): void {
  const found = new Map<string, number>();
  for (const row of rowsOf(world, table)) {
    found.set(`${span} ${row.unit} ${row.starts_at_ms} ${row.surface}`, row.amount_micros as number);
  }
  const keptMs = world.object.ledger.nowMs() - (span === "hour" ? HOURS_KEPT_MS : RUN_HISTORY_MS);
  for (const [key, micros] of world.reference.totals.time) {
    if (!key.startsWith(span)) continue;
    if (!found.has(key) && Number(key.split(" ")[2]) < keptMs) continue;
    if ((found.get(key) ?? 0) !== micros) world.fail(`${table} ${key}: ${found.get(key)}, charged: ${micros}`);
    found.delete(key);
  }
  for (const [key, micros] of found)
    if (micros !== 0) world.fail(`${table} ${key}: ${micros} is unknown to the reference`);
}

function checkCycles(world: World): void {
  const expected = new Map(world.reference.totals.cycle);
  for (const row of rowsOf(world, "usage_by_dimension")) {
    const key = `${row.unit} ${row.cycle_starts_at_ms} ${row.dimension} ${row.id}`;
    const sum = expected.get(key) ?? { requests: 0, micros: 0 };
    world.same(`usage_by_dimension ${key}`, [row.requests, row.amount_micros], [sum.requests, sum.micros]);
    expected.delete(key);
  }
  for (const [key, { requests, micros }] of expected) {
    if (Number(key.split(" ")[1]) < world.object.ledger.nowMs() - RUN_HISTORY_MS) continue;
    if (requests !== 0 || micros !== 0) world.fail(`usage_by_dimension ${key} is missing: ${micros}`);
  }
}

/** Every cell of the usage cube is what the reference has summed, and its parts by kind and hour add up to it. */
function checkCube(world: World): void {
  const nowMs = world.object.ledger.nowMs();
  const expected = new Map(world.reference.totals.cells);
  const models = new Map<string, number>();
  for (const row of rowsOf(world, "usage_cube")) {
    const ids = [row.workspace, row.group_id, row.user, row.model, row.tier, row.surface].join(" ");
    const key = `${row.day_starts_at_ms} ${row.cycle_starts_at_ms} ${row.unit} ${ids}`;
    const cell = expected.get(key);
    if (cell === undefined) world.fail(`usage_cube ${key} is unknown to the reference`);
    expected.delete(key);
    const kinds = JSON.parse(row.kinds as string) as Record<string, [number, number]>;
    const quantities = Object.keys(cell.grown).map((kind) => kinds[kind]?.[0] ?? 0);
    const counted = [row.amount_micros, row.cycle_micros, row.requests, row.model_requests, row.meter_requests];
    const { micros, ofCycle, requests, modelRequests, meterRequests, grown } = cell;
    const counts = [micros, ofCycle, requests, modelRequests, meterRequests];
    world.same(`usage_cube ${key}`, [...counted, ...quantities], [...counts, ...Object.values(grown)]);
    const hours = Object.values(JSON.parse(row.hours as string) as Record<string, number>);
    world.same(`hours of ${key}`, sumOf(hours), micros);
    world.same(`kinds of ${key}`, sumOf(Object.values(kinds).map(([, part]) => part)), ofCycle);
    const model = `${row.unit} ${row.cycle_starts_at_ms} ${row.model} ${row.tier}`;
    models.set(model, (models.get(model) ?? 0) + ofCycle);
  }
  for (const key of expected.keys()) {
    if (Number(key.split(" ")[0]) >= nowMs - RUN_HISTORY_MS) world.fail(`usage_cube ${key} is missing`);
  }
  for (const row of rowsOf(world, "usage_by_model")) {
    const key = `${row.unit} ${row.cycle_starts_at_ms} ${row.model} ${row.tier}`;
    // Of the oldest cycle that is kept, some days may be deleted.
    if ((row.cycle_starts_at_ms as number) >= nowMs - RUN_HISTORY_MS)
      world.same(`usage_by_model ${key}`, row.cycle_micros, models.get(key));
    models.delete(key);
  }
  for (const key of models.keys()) {
    if (Number(key.split(" ")[1]) >= nowMs - RUN_HISTORY_MS) world.fail(`usage_by_model ${key} is missing`);
  }
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + n, 0);
}

/** @param timeColumn rows before the retention may be missing on either side */
function checkSameRows(world: World, table: string, columns: string, order: string, where: string): void {
  const rows = `SELECT ${columns} FROM ${table} WHERE ${where}`;
  const found = world.platform.copy.rows(`${rows} AND enterprise = 'acme' ORDER BY ${order}`);
  const expected = world.platform.sql.all(`${rows} ORDER BY ${order}`);
  const at = expected.findIndex((row, i) => JSON.stringify(row) !== JSON.stringify(found[i]));
  if (at !== -1) world.same(`${table} ${at}`, found[at], expected[at]);
  if (found.length !== expected.length) world.fail(`${table}: ${found.length} rows, the ledger has ${expected.length}`);
}

function checkRuns(world: World): void {
  const rows = new Map(rowsOf(world, "runs").map((row) => [row.run as string, row]));
  const otherCycles = Map.groupBy(rowsOf(world, "run_cycles"), (row) => row.run as string);
  for (const run of world.reference.runs.values()) {
    const row = rows.get(run.run);
    if (row === undefined && world.nowMs - run.startedMs > RUN_HISTORY_MS) continue;
    if (row === undefined && maySilentRunEnd(run, world.object.ledger.nowMs())) continue;
    if (row === undefined) world.fail(`run ${run.run} is missing from the copy`);
    world.same(`run ${run.run} in the copy`, viewRow(row), viewRun(world, run));
    const others = (otherCycles.get(run.run) ?? []).map(
      ({ unit, cycle_starts_at_ms }) => `${unit} ${cycle_starts_at_ms}`,
    );
    const own = `${row.unit} ${row.cycle_starts_at_ms}`;
    world.same(
      `other cycles of run ${run.run} in the copy`,
      others.sort(),
      chargedCycles(run).filter((key) => key !== own),
    );
    rows.delete(run.run);
  }
  for (const name of rows.keys()) world.fail(`run ${name} of the copy is unknown to the reference`);
}

function viewRow(row: CopyRow) {
  const fixed = [row.surface, row.workspace, row.group_id, row.user, row.started_at_ms, row.final === 1];
  const models = (JSON.parse(row.models as string) as string[]).sort();
  if (row.last_report_at_ms === null) return [...fixed, models];
  const charged = [row.last_report_at_ms, row.unit, row.charged_micros, row.cycle_starts_at_ms, row.cycle_micros];
  return [...fixed, models, ...charged];
}

function viewRun(world: World, run: ReferenceRun) {
  const { meters } = run;
  const final = meters.length > 0 && meters.every((meter) => meter.final);
  const fixed = [run.surface, run.workspace, run.group ?? "none", run.user, run.startedMs, final];
  const models = [...new Set(meters.map(({ model }) => model))].sort();
  const unit = meters.toSorted((a, b) => a.firstReportMs - b.firstReportMs || (keyOf(a) < keyOf(b) ? -1 : 1))[0]?.unit;
  if (unit === undefined) return [...fixed, models];
  const lastReportMs = Math.max(...meters.map((meter) => meter.lastReportMs));
  const takings = meters.filter((meter) => meter.unit === unit).flatMap((meter) => meter.takings);
  const counted = takings.filter(({ micros, lapsed, late = 0 }) => micros > 0 || lapsed > 0 || late > 0);
  const cycleMs = counted.length > 0 ? Math.max(...counted.map((t) => t.cycleMs)) : cycleAt(world, lastReportMs);
  const ofCycle = counted.filter((taking) => taking.cycleMs === cycleMs);
  const inCycle = ofCycle.reduce((sum, { micros, late = 0 }) => sum + micros + late, 0);
  return [...fixed, models, lastReportMs, unit, totalOf(run, unit), cycleMs, inCycle];
}

/** Meters of one instant are in the order of their models, then of their tiers, `standard` first. */
function keyOf({ model, tier }: ReferenceMeter): string {
  return `${model} ${tier === "standard" ? "" : tier}`;
}

/** The cycles in which the run was charged, also if all of that was refunded. */
function chargedCycles({ meters }: ReferenceRun): string[] {
  const keys = meters.flatMap(({ unit, takings }) => takings.map(({ cycleMs }) => `${unit} ${cycleMs}`));
  return [...new Set(keys)].sort();
}

/** The start of the cycle that contains the instant. */
function cycleAt({ reference }: World, atMs: number): number {
  const { money } = reference;
  const starts = [...money.closed, money.cycle].map(({ startsMs }) => startsMs);
  return Math.max(...starts.filter((startMs) => startMs <= atMs));
}

function checkHead(world: World): void {
  const row = world.platform.copy.rows("SELECT * FROM enterprises WHERE id = 'acme'")[0];
  const { ledger } = world.object;
  const gauge = JSON.parse((row?.gauge ?? "null") as string) as { seq: number; used_micros: number } | null;
  world.same("the head of the copy", [row?.name, gauge?.seq], [ledger.books.settings.name, ledger.books.seq]);
}

function rowsOf(world: World, table: string): CopyRow[] {
  return world.platform.copy.rows(`SELECT * FROM ${table} WHERE enterprise = 'acme'`);
}
