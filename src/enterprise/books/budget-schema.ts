/** What was charged on the last local day that changed a total. Only budgets read it (copy/day-totals.ts). */
export const DAY_STEP: string[] = [
  "ALTER TABLE totals_cycle ADD COLUMN day_starts_at_ms INTEGER NOT NULL DEFAULT 0",
  `ALTER TABLE totals_cycle ADD COLUMN day_micros INTEGER NOT NULL DEFAULT 0
    CHECK (day_micros BETWEEN -9007199254740991 AND 9007199254740991)`,
];

/** The step of the object's schema that creates the tables of budgets. In all of them `id` may be a user's id. */
export const BUDGET_STEP: string[] = [
  // What admins have set: at most 5,000. `id` is a workspace, a group, a user, or `*`.
  `CREATE TABLE budgets (
    dimension TEXT NOT NULL CHECK (dimension IN ('workspace', 'group', 'user')),
    id TEXT NOT NULL,
    period TEXT NOT NULL CHECK (period IN ('day', 'cycle')),
    limit_micros INTEGER CHECK (limit_micros BETWEEN 0 AND 9007199254740991),
    action TEXT NOT NULL CHECK (action IN ('block', 'warn')),
    unit TEXT NOT NULL CHECK (unit IN ('credits', 'usd')),
    PRIMARY KEY (dimension, id, period)
  ) STRICT, WITHOUT ROWID`,
  // The highest level that was announced for an id in its latest period. Rows of past cycles are pruned.
  `CREATE TABLE budget_levels (
    dimension TEXT NOT NULL,
    id TEXT NOT NULL,
    period TEXT NOT NULL,
    period_starts_at_ms INTEGER NOT NULL,
    level INTEGER NOT NULL,
    PRIMARY KEY (dimension, id, period)
  ) STRICT, WITHOUT ROWID`,
  // What ids were charged on a local day. The last release wrote it. Rows older than three days are pruned.
  `CREATE TABLE totals_day (
    day_starts_at_ms INTEGER NOT NULL,
    dimension TEXT NOT NULL CHECK (dimension IN ('workspace', 'group', 'user')),
    id TEXT NOT NULL,
    unit TEXT NOT NULL,
    amount_micros INTEGER NOT NULL CHECK (amount_micros BETWEEN -9007199254740991 AND 9007199254740991),
    PRIMARY KEY (day_starts_at_ms, dimension, id, unit)
  ) STRICT, WITHOUT ROWID`,
];
