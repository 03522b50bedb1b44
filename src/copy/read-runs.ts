/**
 * The queries about runs in D1: a list for any combination of filters, and the runs of a cycle. A page, newest first,
 * follows an index. A list by amount reads the rows of its window that match its most selective filter.
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
  /** The start or the amount of the last run before the page, as the sort says, and its id. */
  after: { value: number; run: string } | null;
};

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

/** Returns runs after `after`. Returns `limit` + 1 runs if there are more than `limit`. */
export async function readRunPage(db: CheckedCopy, query: RunsQuery): Promise<RunSummary[]> {
  const { enterprise, selection, startedFromMs, startedToMs, sort, limit, after } = query;
  const bound = new Parameters(enterprise);
  // Named, because SQLite knows nothing of the values and may follow the surface, which half of all runs share.
  const first = firstFilterOf(selection);
  const byModel = first === "model";
  const started = byModel ? "m.started_at_ms" : "r.started_at_ms";
  const run = byModel ? "m.run" : "r.run";
  const from = byModel
    ? "run_models AS m CROSS JOIN runs AS r ON r.enterprise = m.enterprise AND r.run = m.run"
    : `runs AS r INDEXED BY runs_of_${first ?? "surface"}`;
  const conditions = [
    byModel ? "m.enterprise = ?1 AND m.used = 1" : "r.enterprise = ?1",
    ...filters(selection, bound, byModel ? undefined : "r"),
  ];
  if (startedFromMs !== null) conditions.push(`${started} >= ${bound.place(startedFromMs)}`);
  if (startedToMs !== null) conditions.push(`${started} < ${bound.place(startedToMs)}`);
  const value = sort === "newest" ? started : "r.charged_micros";
  if (after !== null) {
    conditions.push(`(${value}, ${run}) < (${bound.place(after.value)}, ${bound.place(after.run)})`);
  }
  const list = `SELECT r.* FROM ${from} WHERE ${conditions.join(" AND ")}`;
  // Without a filter, the runs of each surface follow their index. SQLite merges the two lists and stops at the limit.
  const lists =
    filtersOf(selection).length > 0 ? [list] : SURFACES.map((surface) => `${list} AND r.surface = '${surface}'`);
  const order = lists.length > 1 ? `${value.slice(2)} DESC, run DESC` : `${value} DESC, ${run} DESC`;
  const { results } = await db
    .prepare(`${lists.join(" UNION ALL ")} ORDER BY ${order} LIMIT ${limit + 1}`)
    .bind(...bound.values)
    .all<Row>();
  return results.map(summaryOf);
}

/** Returns the filter whose index a list of runs follows. All runs may lack a group, so a model comes before "none". */
function firstFilterOf(selection: Selection): keyof Selection | undefined {
  const skipsGroup = selection.group === NO_GROUP && selection.model !== undefined;
  return filtersOf(selection).find(([filter]) => !(skipsGroup && filter === "group"))?.[0];
}

/**
 * Returns one page of the runs that were charged or reported last in a cycle, newest first. A run that was charged in
 * both units has a row for each of them.
 */
export async function readCycleRunPage(db: CheckedCopy, query: CycleRunsQuery): Promise<CycleRun[]> {
  const { enterprise, selection, cycleStartsAtMs, limit, after } = query;
  const bound = new Parameters(enterprise);
  const cycle = bound.place(cycleStartsAtMs);
  const matching = filters(selection, bound, "r").map((condition) => ` AND ${condition}`);
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
function filters(selection: Selection, bound: Parameters, lookUp: "r" | undefined): string[] {
  return filtersOf(selection).map(([filter, value]) => {
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
