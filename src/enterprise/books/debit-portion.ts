/** Limits what one transaction of debits loads, because a batch may name a thousand runs with a thousand meters each. */
import type { Report } from "../../ledger/debit.ts";
import type { Recent } from "./recent.ts";
import type { Sql } from "./sql.ts";

/** Loading this many meters, or meters with this many characters of draws, takes about ten milliseconds. */
const MAX_METERS = 2_000;
const MAX_DRAWS_CHARS = 500_000;

/** Returns the first of these reports whose meters fit into one transaction; always those of the first run. */
export function fitIntoPortion(sql: Sql, recent: Recent, reports: readonly Report[]): readonly Report[] {
  if (reports.length <= 1) return reports;
  const runs = [...new Set(reports.map(({ run }) => run))].filter((run) => recent.find(run) === undefined);
  if (runs.length <= 1) return reports;
  const statement = `SELECT run, count(*) AS meters, sum(length(draws)) AS chars FROM meters
    WHERE run IN (SELECT value FROM json_each(?1)) GROUP BY run`;
  const sizes = new Map(sql.all(statement, JSON.stringify(runs)).map((row) => [row.run as string, row]));
  let meters = 0;
  let chars = 0;
  const end = reports.findIndex(({ run }, i) => {
    const size = sizes.get(run);
    // The reports of a run share its meters.
    if (size === undefined || !sizes.delete(run)) return false;
    meters += size.meters as number;
    chars += size.chars as number;
    return i > 0 && (meters > MAX_METERS || chars > MAX_DRAWS_CHARS);
  });
  return end === -1 ? reports : reports.slice(0, end);
}
