/**
 * Sums the gauges of all enterprises for the operator's metrics, from the copies in D1. The sums are floating-point
 * numbers. They are good enough for graphs and alerts, but not for money.
 */
import type { BillingModel } from "../ledger/books.ts";
import type { Unit } from "../ledger/micros.ts";
import type { GaugeJson } from "../wire/gauge.ts";

/** The sums of all enterprises with one billing model and plan. `steps` counts debits and all other changes. */
export type FleetRow = {
  billing_model: BillingModel;
  plan: string;
  enterprises: number;
  exhausted: number;
  steps: number;
  used_micros: number;
  held_micros: number;
  debt_micros: number;
};

/** What the metrics show of one enterprise. `steps` never falls. */
export type EnterpriseSeries = {
  enterprise: string;
  unit: string;
  steps: number;
  used_micros: number;
  available_micros: number | null;
  debt_micros: number;
};

/**
 * Returns the enterprises with the most recorded changes. This number never falls, so the selection changes rarely.
 *
 * @param directories the databases that list enterprises
 */
export async function readBusiest(directories: readonly D1Database[], limit: number): Promise<EnterpriseSeries[]> {
  if (limit === 0) return [];
  const members = ["unit", "used_micros", "available_micros", "debt_micros"].map(
    (name) => `gauge ->> '${name}' AS ${name}`,
  );
  const statement = `SELECT id AS enterprise, gauge ->> 'seq' AS steps, ${members.join(", ")}
    FROM enterprises ORDER BY steps DESC, id LIMIT ?`;
  const found = await Promise.all(
    directories.map(async (db) => (await db.prepare(statement).bind(limit).all<EnterpriseSeries>()).results),
  );
  return found
    .flat()
    .sort((a, b) => b.steps - a.steps || (a.enterprise < b.enterprise ? -1 : 1))
    .slice(0, limit);
}

/** @param directories the databases that list enterprises */
export async function readFleet(directories: readonly D1Database[]): Promise<FleetRow[]> {
  const rows = (await Promise.all(directories.map(readDirectory))).flat();
  const groups = Map.groupBy(rows, ({ billing_model, plan }) => `${billing_model} ${plan}`);
  return [...groups.values()].map((group) => group.reduce(add));
}

function add(a: FleetRow, b: FleetRow): FleetRow {
  return {
    ...a,
    enterprises: a.enterprises + b.enterprises,
    exhausted: a.exhausted + b.exhausted,
    steps: a.steps + b.steps,
    used_micros: a.used_micros + b.used_micros,
    held_micros: a.held_micros + b.held_micros,
    debt_micros: a.debt_micros + b.debt_micros,
  };
}

/** An enterprise among those that used most in their current cycle. */
export type BusyEnterprise = { id: string; gauge: GaugeJson };

/** Returns the enterprises of one unit that used most in their current cycles. Reads all of them. */
export async function readMostUsed(
  directories: readonly D1Database[],
  unit: Unit,
  limit: number,
): Promise<BusyEnterprise[]> {
  const read = async (db: D1Database) => {
    const statement = `SELECT id, gauge FROM enterprises WHERE gauge ->> 'unit' = ?1 AND gauge ->> 'used_micros' > 0
      ORDER BY gauge ->> 'used_micros' DESC, id LIMIT ?2`;
    return (await db.prepare(statement).bind(unit, limit).all<{ id: string; gauge: string }>()).results;
  };
  return (await Promise.all(directories.map(read)))
    .flat()
    .map(({ id, gauge }) => ({ id, gauge: JSON.parse(gauge) as GaugeJson }))
    .sort((a, b) => b.gauge.used_micros - a.gauge.used_micros)
    .slice(0, limit);
}

/** Counts the runs of all current cycles. @param shards the databases that hold copies */
export async function countFleetRuns(shards: readonly D1Database[]): Promise<number> {
  const read = async (db: D1Database) => {
    const statement = `SELECT total(requests) AS n FROM enterprises AS e CROSS JOIN usage_by_dimension AS u
      ON u.enterprise = e.id AND u.unit = e.gauge ->> 'unit' AND u.dimension = 'all' AND u.id = ''
        AND u.cycle_starts_at_ms = unixepoch(e.gauge ->> '$.cycle.starts_at') * 1000
      WHERE e.shard IS NULL`;
    return (await db.prepare(statement).first<{ n: number }>())?.n ?? 0;
  };
  return (await Promise.all(shards.map(read))).reduce((sum, n) => sum + n, 0);
}

async function readDirectory(db: D1Database): Promise<FleetRow[]> {
  const sums = ["used_micros", "held_micros", "debt_micros"].map((name) => `total(gauge ->> '${name}') AS ${name}`);
  const { results } = await db
    .prepare(
      `SELECT gauge ->> 'billing_model' AS billing_model, gauge ->> 'plan' AS plan, count(*) AS enterprises,
        sum(gauge ->> 'available_micros' IS 0) AS exhausted, total(gauge ->> 'seq') AS steps, ${sums.join(", ")}
        FROM enterprises GROUP BY 1, 2 ORDER BY 1, 2`,
    )
    .all<FleetRow>();
  return results;
}
