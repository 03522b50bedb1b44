/**
 * The catalogue of plans and which enterprise has which plan, as the catalog object stores them. A version of the
 * catalogue never changes. A plan that an enterprise has cannot be left out of a new version, so every change of an
 * enterprise's plan first claims the new plan here, and afterwards records what the enterprise's object has stored.
 */
import { FIRST_PLANS, type Plan, type PlanCatalogue } from "../ledger/plans.ts";

/** A new version. `knownVersion`: refuse it unless this is still the current version. */
export type PlanChange = { plans: Plan[]; knownVersion: number | null; by: string };

/**
 * Why a new version is refused. `unrecorded` names enterprises whose plan is not recorded here: ask their objects, record
 * the answers with `recordPlan`, and try again.
 */
export type PlanRefusal =
  | { conflict: number }
  | { inUse: { plan: string; enterprise: string } }
  | { unrecorded: string[] };

/** The plan that an enterprise's object has stored, and the seq of its books at that moment. */
export type RecordedPlan = { plan: string; seq: number };

/** No call between a Worker and an object takes longer, so an older claim was left behind by a Worker that stopped. */
const MAX_CLAIM_MS = 60_000;
const MAX_UNRECORDED = 100;
const FIRST_VERSION = 1;

/** What this file needs of the object's storage. */
type Storage = Pick<DurableObjectStorage, "transactionSync"> & { sql: Pick<SqlStorage, "exec"> };

export class PlanVersions {
  /** The current version, kept in memory because every turn of a cycle asks for it. Storage is authoritative. */
  #current: PlanCatalogue | null = null;

  constructor(
    readonly storage: Storage,
    readonly nowMs: () => number,
  ) {
    const exec = (statement: string) => this.storage.sql.exec(statement);
    exec(`CREATE TABLE IF NOT EXISTS plan_versions (version INTEGER PRIMARY KEY, created_at_ms INTEGER NOT NULL,
      by TEXT NOT NULL, plans TEXT NOT NULL) STRICT`);
    exec(`CREATE TABLE IF NOT EXISTS enterprise_plans (id TEXT PRIMARY KEY, plan TEXT NOT NULL, seq INTEGER NOT NULL)
      STRICT, WITHOUT ROWID`);
    exec("CREATE INDEX IF NOT EXISTS enterprise_plans_by_plan ON enterprise_plans (plan)");
    exec(`CREATE TABLE IF NOT EXISTS plan_claims (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL,
      plan TEXT NOT NULL, claimed_at_ms INTEGER NOT NULL) STRICT`);
  }

  current(): PlanCatalogue {
    if (this.#current === null) {
      const statement = "SELECT version, plans FROM plan_versions ORDER BY version DESC LIMIT 1";
      const row = this.storage.sql.exec<{ version: number; plans: string }>(statement).toArray()[0];
      this.#current =
        row === undefined
          ? { version: FIRST_VERSION, plans: FIRST_PLANS }
          : { version: row.version, plans: JSON.parse(row.plans) as Plan[] };
    }
    return this.#current;
  }

  /** Claims a plan for an enterprise that is about to get it. Returns the claim's number; null if there is no such plan. */
  claim(id: string, plan: string): number | null {
    if (!this.current().plans.some((known) => known.id === plan)) return null;
    const statement = "INSERT INTO plan_claims (id, plan, claimed_at_ms) VALUES (?, ?, ?) RETURNING number";
    return this.storage.sql.exec<{ number: number }>(statement, id, plan, this.nowMs()).one().number;
  }

  /** Ends a claim. `recorded` is the plan that the enterprise now has; null if its object has refused the change. */
  endClaim(claim: number, id: string, recorded: RecordedPlan | null): void {
    this.storage.transactionSync(() => {
      if (recorded !== null) this.record(id, recorded);
      this.storage.sql.exec("DELETE FROM plan_claims WHERE number = ?", claim);
    });
  }

  /** Records the plan that an enterprise's object has stored, unless a later one is recorded. */
  record(id: string, { plan, seq }: RecordedPlan): void {
    this.storage.sql.exec(
      `INSERT INTO enterprise_plans VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET plan = excluded.plan,
        seq = excluded.seq WHERE excluded.seq >= enterprise_plans.seq`,
      ...[id, plan, seq],
    );
  }

  /** Records what the objects of `unrecorded` enterprises have answered, and ends their old claims. */
  recordAll(found: readonly ({ id: string } & RecordedPlan)[]): void {
    this.storage.transactionSync(() => {
      for (const { id, ...recorded } of found) {
        this.record(id, recorded);
        this.storage.sql.exec("DELETE FROM plan_claims WHERE id = ? AND claimed_at_ms <= ?", id, this.#oldClaimMs());
      }
    });
  }

  /** Makes the next version, which becomes the current one, unless it is refused. */
  change({ plans, knownVersion, by }: PlanChange): PlanCatalogue | PlanRefusal {
    const current = this.current();
    if (knownVersion !== null && knownVersion !== current.version) return { conflict: current.version };
    const kept = new Set(plans.map(({ id }) => id));
    const removed = current.plans.map(({ id }) => id).filter((id) => !kept.has(id));
    const refusal = removed.length === 0 ? null : this.#findUse(JSON.stringify(removed));
    if (refusal !== null) return refusal;
    const version = current.version + 1;
    const statement = "INSERT INTO plan_versions VALUES (?, ?, ?, ?)";
    this.storage.sql.exec(statement, version, this.nowMs(), by, JSON.stringify(plans));
    this.#current = { version, plans };
    return this.#current;
  }

  /** Returns enterprises whose plan is not recorded: those of the last release, and those that were never created. */
  unrecorded(limit = MAX_UNRECORDED): string[] {
    const statement = `SELECT enterprises.id FROM enterprises LEFT JOIN enterprise_plans USING (id)
      WHERE plan IS NULL ORDER BY number LIMIT ?`;
    return this.#ids(statement, limit);
  }

  /** @param removed the ids of plans, as a JSON list */
  #findUse(removed: string): PlanRefusal | null {
    const inList = "plan IN (SELECT value FROM json_each(?))";
    const uses = [
      [`SELECT id AS enterprise, plan FROM enterprise_plans WHERE ${inList} LIMIT 1`, removed],
      [
        `SELECT id AS enterprise, plan FROM plan_claims WHERE ${inList} AND claimed_at_ms > ? LIMIT 1`,
        removed,
        this.#oldClaimMs(),
      ],
    ] as const;
    for (const [statement, ...params] of uses) {
      const use = this.storage.sql.exec<{ enterprise: string; plan: string }>(statement, ...params).toArray()[0];
      if (use !== undefined) return { inUse: use };
    }
    const left = `SELECT DISTINCT id FROM plan_claims WHERE ${inList} LIMIT ${MAX_UNRECORDED}`;
    const unrecorded = [...new Set([...this.#ids(left, removed), ...this.unrecorded()])].slice(0, MAX_UNRECORDED);
    return unrecorded.length === 0 ? null : { unrecorded };
  }

  #ids(statement: string, ...params: (string | number)[]): string[] {
    const rows = this.storage.sql.exec<{ id: string }>(statement, ...params).toArray();
    return rows.map(({ id }) => id);
  }

  #oldClaimMs(): number {
    return this.nowMs() - MAX_CLAIM_MS;
  }
}
