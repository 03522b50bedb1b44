/**
 * Lists the catalog's enterprises by id, all or those with a plan, and counts them. Triggers keep the counts, so that
 * neither a page nor a count reads more rows than it returns. An enterprise whose plan is not recorded yet has none here.
 */

/** How many enterprises there are, as a whole and with each plan. */
export type EnterpriseCounts = { total: number; byPlan: Record<string, number> };

type PlanCount = { plan: string; enterprises: number };

/** What a statement of a trigger does with a count. */
const ADD_ONE =
  "INSERT INTO plan_counts VALUES (NEW.plan, 1) ON CONFLICT (plan) DO UPDATE SET enterprises = enterprises + 1;";
const TAKE_ONE = "UPDATE plan_counts SET enterprises = enterprises - 1 WHERE plan = OLD.plan;";

export class EnterpriseList {
  /** The tables `enterprises`, `shards` and `enterprise_plans` must exist. */
  constructor(readonly sql: Pick<SqlStorage, "exec">) {
    const exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'plan_counts'";
    if (sql.exec(exists).toArray().length > 0) return;
    sql.exec("CREATE TABLE plan_counts (plan TEXT PRIMARY KEY, enterprises INTEGER NOT NULL) STRICT, WITHOUT ROWID");
    sql.exec("INSERT INTO plan_counts SELECT plan, count(*) FROM enterprise_plans GROUP BY plan");
    sql.exec(`CREATE TRIGGER plan_recorded AFTER INSERT ON enterprise_plans BEGIN ${ADD_ONE} END`);
    sql.exec(`CREATE TRIGGER plan_removed AFTER DELETE ON enterprise_plans BEGIN ${TAKE_ONE} END`);
    sql.exec(`CREATE TRIGGER plan_replaced AFTER UPDATE OF plan ON enterprise_plans WHEN NEW.plan <> OLD.plan
      BEGIN ${TAKE_ONE} ${ADD_ONE} END`);
  }

  /** @param plan lists only enterprises with this plan. @param after the id after which the list continues */
  list(plan: string | null, after: string, limit: number): string[] {
    const [statement, ...bound] =
      plan === null
        ? ["SELECT id FROM enterprises WHERE id > ? ORDER BY id LIMIT ?", after, limit]
        : ["SELECT id FROM enterprise_plans WHERE plan = ? AND id > ? ORDER BY id LIMIT ?", plan, after, limit];
    return this.sql
      .exec<{ id: string }>(statement as string, ...bound)
      .toArray()
      .map(({ id }) => id);
  }

  counts(): EnterpriseCounts {
    const byPlan = this.sql.exec<PlanCount>("SELECT plan, enterprises FROM plan_counts WHERE plan <> ''").toArray();
    const total = this.sql.exec<{ n: number }>("SELECT coalesce(sum(enterprises), 0) AS n FROM shards").one().n;
    return { total, byPlan: Object.fromEntries(byPlan.map(({ plan, enterprises }) => [plan, enterprises])) };
  }
}
