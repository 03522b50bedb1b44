/**
 * The queries about runs in D1: a list for any combination of filters, and the runs of a cycle. A page, newest first,
 * follows an index, and looks through a bounded number of runs. A list by amount reads the rows of its window that match
 * its most selective filter.
 */
import { NO_GROUP, SURFACES, type Surface } from "../ledger/books.ts";
import type { Micros, Unit } from "../ledger/micros.ts";
import type { Usage } from "../ledger/prices.ts";
import type { RunSummary } from "../ledger/receipt.ts";
import type { AtMs } from "../ledger/time.ts";
import type { CheckedCopy } from "./checked-copy.ts";
import { filtersOf, type Selection } from "./selection.ts";

export const RUN_SORTS = ["newest", "amount"] as const;
type RunSort = (typeof RUN_SORTS)[number];

type RunsQuery = {
  enterprise: string;
  selection: Selection;
  /** The runs that started in this window. */
  startedFromMs: AtMs | null;
  startedToMs: AtMs | null;
  sort: RunSort;
  limit: number;
  after: RunPlace | null;
};

/** The start or the amount of the last run before a page, as the sort says, and its id. */
type RunPlace = { value: number; run: string };

export type NamedRun = RunSummary & { workspaceName: string | null; userName: string | null };

/** A run of a cycle. `unit` and the charge are those of the cycle's charges. */
export type CycleRun = RunSummary & {
  cycleMicros: Micros;
  usage: Usage | null;
  priceBookVersions: number[] | null;
  workspaceName: string | null;
  groupName: string | null;
  userName: string | null;
};

type CycleRunsQuery = {
  enterprise: string;
  selection: Selection;
  cycleStartsAtMs: AtMs;
  limit: number;
  after: { startedAtMs: AtMs; run: string; unit: Unit } | null;
};

type Row = Record<string, string | number | null>;

const COLUMNS = { workspace: "workspace", group: "group_id", user: "user", surface: "surface" } as const;

/** A page of runs. `next` is null after the last page. Before it, a page may have fewer runs than its limit. */
type RunPage = { runs: RunSummary[]; next: RunPlace | null };

/**
 * A page looks through at most this many runs. Those that match the first of several filters need not match the others,
 * so there may be none to show for a long time.
 */
const MAX_SCANNED_RUNS = 10_000;

/** Returns the page of at most `limit` runs after `after`. */
export async function readRunPage(db: CheckedCopy, query: RunsQuery, maxScanned = MAX_SCANNED_RUNS): Promise<RunPage> {
  const { selection, sort, limit } = query;
  const runs = await readRuns(db, query, maxScanned);
  const last = runs.length > limit ? runs[limit - 1] : undefined;
  if (last !== undefined) {
    const value = sort === "newest" ? last.startedAtMs : last.chargedMicros;
    return { runs: runs.slice(0, limit), next: { value, run: last.run } };
  }
  const isWhole = sort === "amount" || filtersOf(selection).length < 2;
  return { runs, next: isWhole ? null : await findEnd(db, query, maxScanned) };
}

/** Returns `limit` + 1 runs if there are more than `limit`. */
async function readRuns(db: CheckedCopy, query: RunsQuery, maxScanned: number): Promise<RunSummary[]> {
  const { enterprise, selection, sort, limit } = query;
  const bound = new Parameters(enterprise);
  const { from, started, run, conditions } = scanOf(query, bound);
  const value = sort === "newest" ? started : "r.charged_micros";
  const [first, ...others] = filtersFrom(selection);
  if (sort === "newest" && first !== undefined && others.length > 0) {
    const scanned = `SELECT r.* FROM ${from} WHERE ${conditions.join(" AND ")}
      ORDER BY ${started} DESC, ${run} DESC LIMIT ${maxScanned}`;
    const matching = filters(others, bound, "r").join(" AND ");
    // The outer query has no ORDER BY, so it keeps the order of the inner one and stops at the limit.
    const statement = `SELECT r.* FROM (${scanned}) AS r WHERE ${matching} LIMIT ${limit + 1}`;
    return summariesOf(db, statement, bound);
  }
  const all = [...conditions, ...filters(others, bound, "r")];
  const list = `SELECT r.* FROM ${from} WHERE ${all.join(" AND ")}`;
  // Without a filter, the runs of each surface follow their index. SQLite merges the two lists and stops at the limit.
  const lists = first !== undefined ? [list] : SURFACES.map((surface) => `${list} AND r.surface = '${surface}'`);
  const order = lists.length > 1 ? `${value.slice(2)} DESC, run DESC` : `${value} DESC, ${run} DESC`;
  return summariesOf(db, `${lists.join(" UNION ALL ")} ORDER BY ${order} LIMIT ${limit + 1}`, bound);
}

/** Returns the place of the last run that a page looks through; null if it looks through all. */
async function findEnd(db: CheckedCopy, query: RunsQuery, maxScanned: number): Promise<RunPlace | null> {
  const bound = new Parameters(query.enterprise);
  const { from, started, run, conditions } = scanOf(query, bound);
  const statement = `SELECT ${started} AS started_at_ms, ${run} AS run FROM ${from} WHERE ${conditions.join(" AND ")}
    ORDER BY ${started} DESC, ${run} DESC LIMIT 1 OFFSET ${maxScanned - 1}`;
  const { results } = await db
    .prepare(statement)
    .bind(...bound.values)
    .all<{ started_at_ms: number; run: string }>();
  return results[0] === undefined ? null : { value: results[0].started_at_ms, run: results[0].run };
}

/** What a list looks through: the runs that match its first filter, in its window and after its place. */
function scanOf({ selection, startedFromMs, startedToMs, sort, after }: RunsQuery, bound: Parameters) {
  const first = filtersFrom(selection)[0];
  const byModel = first?.[0] === "model";
  const started = byModel ? "m.started_at_ms" : "r.started_at_ms";
  const run = byModel ? "m.run" : "r.run";
  // Named, because SQLite knows nothing of the values and may follow the surface, which half of all runs share.
  const from = byModel
    ? "run_models AS m CROSS JOIN runs AS r ON r.enterprise = m.enterprise AND r.run = m.run"
    : `runs AS r INDEXED BY runs_of_${first?.[0] ?? "surface"}`;
  const conditions = [
    byModel ? "m.enterprise = ?1 AND m.used = 1" : "r.enterprise = ?1",
    ...filters(first === undefined ? [] : [first], bound, byModel ? undefined : "r"),
  ];
  if (startedFromMs !== null) conditions.push(`${started} >= ${bound.place(startedFromMs)}`);
  if (startedToMs !== null) conditions.push(`${started} < ${bound.place(startedToMs)}`);
  if (after !== null) {
    const value = sort === "newest" ? started : "r.charged_micros";
    conditions.push(`(${value}, ${run}) < (${bound.place(after.value)}, ${bound.place(after.run)})`);
  }
  return { from, started, run, conditions };
}

async function summariesOf(db: CheckedCopy, statement: string, bound: Parameters): Promise<RunSummary[]> {
  const { results } = await db
    .prepare(statement)
    .bind(...bound.values)
    .all<Row>();
  return results.map(summaryOf);
}

type SetFilters = ReturnType<typeof filtersOf>;

/** Returns the filters, that one first whose index a list follows. All runs may lack a group, so a model precedes "none". */
function filtersFrom(selection: Selection): SetFilters {
  const all = filtersOf(selection);
  const skipsGroup = selection.group === NO_GROUP && selection.model !== undefined;
  const first = all.find(([filter]) => !(skipsGroup && filter === "group"));
  return first === undefined ? all : [first, ...all.filter((filter) => filter !== first)];
}

/**
 * Returns one page of the runs that were charged or reported last in a cycle, newest first. A run that was charged in
 * both units has a row for each of them.
 */
export async function readCycleRunPage(db: CheckedCopy, query: CycleRunsQuery): Promise<CycleRun[]> {
  const { enterprise, selection, cycleStartsAtMs, limit, after } = query;
  const bound = new Parameters(enterprise);
  const cycle = bound.place(cycleStartsAtMs);
  const matching = filters(filtersOf(selection), bound, "r").map((condition) => ` AND ${condition}`);
  const places =
    after === null
      ? null
      : `(${bound.place(after.startedAtMs)}, ${bound.place(after.run)}, ${bound.place(after.unit)})`;
  // Each half follows its own index and stops at the limit, so a page does not read the whole cycle.
  const half = (table: string, micros: string, join: string, more = "") => {
    const beyond = places === null ? "" : ` AND (${table}.started_at_ms, ${table}.run, ${table}.unit) < ${places}`;
    return `SELECT * FROM (SELECT r.*, ${table}.unit AS of_unit, ${micros} AS of_cycle FROM ${join}
      WHERE ${table}.enterprise = ?1 AND ${table}.cycle_starts_at_ms = ${cycle}${matching.join("")}${beyond}${more}
      ORDER BY ${table}.started_at_ms DESC, ${table}.run DESC, ${table}.unit DESC LIMIT ${limit})`;
  };
  const others = "run_cycles AS c CROSS JOIN runs AS r ON r.enterprise = c.enterprise AND r.run = c.run";
  const elsewhere = " AND (c.unit <> r.unit OR c.cycle_starts_at_ms <> r.cycle_starts_at_ms)";
  const name = (alias: string, kind: string, column: string) =>
    `LEFT JOIN names AS ${alias} ON ${alias}.enterprise = ?1 AND ${alias}.kind = '${kind}' AND ${alias}.id = x.${column}`;
  const statement = `SELECT x.*, w.name AS workspace_name, g.name AS group_name, u.name AS user_name,
      (SELECT sum(micros) FROM run_cycles AS o WHERE o.enterprise = ?1 AND o.run = x.run AND o.unit = x.of_unit) AS others
    FROM (${half("r", "r.cycle_micros", "runs AS r")} UNION ALL ${half("c", "c.micros", others, elsewhere)}) AS x
    ${name("w", "workspace", "workspace")} ${name("g", "group", "group_id")} ${name("u", "user", "user")}
    ORDER BY x.started_at_ms DESC, x.run DESC, x.of_unit DESC LIMIT ${limit}`;
  const { results } = await db
    .prepare(statement)
    .bind(...bound.values)
    .all<Row>();
  return results.map(cycleRunOf);
}

/** Returns the conditions of these filters. `run_models` is joined as `m` unless runs are to be looked up in it. */
function filters(set: SetFilters, bound: Parameters, lookUp: "r" | undefined): string[] {
  return set.map(([filter, value]) => {
    const place = bound.place(value);
    if (filter !== "model") return `r.${COLUMNS[filter]} = ${place}`;
    if (lookUp === undefined) return `m.model = ${place}`;
    return `EXISTS (SELECT 1 FROM run_models AS m WHERE m.enterprise = ?1 AND m.run = r.run AND m.model = ${place}
      AND m.used = 1)`;
  });
}

function cycleRunOf(row: Row): CycleRun {
  const summary = summaryOf(row);
  const unit = row.of_unit as Unit;
  return {
    ...summary,
    unit,
    // The row of a run has its charge in one unit. What it was charged in the other is the sum of its other cycles.
    chargedMicros: unit === summary.unit ? summary.chargedMicros : ((row.others as number | null) ?? 0),
    cycleMicros: row.of_cycle as number,
    usage: row.usage === null ? null : (JSON.parse(row.usage as string) as Usage),
    priceBookVersions:
      row.price_book_versions === null ? null : (JSON.parse(row.price_book_versions as string) as number[]),
    workspaceName: row.workspace_name as string | null,
    groupName: row.group_name as string | null,
    userName: row.user_name as string | null,
  };
}

function summaryOf(row: Row): RunSummary {
  return {
    run: row.run as string,
    surface: row.surface as Surface,
    workspace: row.workspace as string,
    group: row.group_id as string,
    user: row.user as string,
    startedAtMs: row.started_at_ms as number,
    lastReportAtMs: row.last_report_at_ms as number | null,
    models: JSON.parse(row.models as string) as string[],
    chargedMicros: row.charged_micros as number,
    unit: row.unit as Unit,
    final: row.final === 1,
  };
}

/** The parameters of a statement, of which the first is the enterprise. */
class Parameters {
  readonly values: (string | number)[];

  constructor(enterprise: string) {
    this.values = [enterprise];
  }

  /** Adds a value. Returns its place in the statement. */
  place(value: string | number): string {
    this.values.push(value);
    return `?${this.values.length}`;
  }
}
