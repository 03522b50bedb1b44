/** The step of the object's schema that creates the usage cube (copy/cube.ts), and notes what is not in it. */
const signed = (column: string) =>
  `${column} INTEGER NOT NULL CHECK (${column} BETWEEN -9007199254740991 AND 9007199254740991)`;

export const CUBE_STEP: string[] = [
  // The usage cube. Rows are kept for 400 days; the key starts with the day, so that old rows are found.
  `CREATE TABLE cube (
    day_starts_at_ms INTEGER NOT NULL,
    cycle_starts_at_ms INTEGER NOT NULL,
    unit TEXT NOT NULL,
    workspace TEXT NOT NULL,
    group_id TEXT NOT NULL,
    user TEXT NOT NULL,
    model TEXT NOT NULL,
    tier TEXT NOT NULL,
    surface TEXT NOT NULL,
    ${signed("amount_micros")},
    ${signed("cycle_micros")},
    requests INTEGER NOT NULL,
    model_requests INTEGER NOT NULL,
    meter_requests INTEGER NOT NULL,
    ${signed("savings_micros")},
    kinds TEXT NOT NULL,
    hours TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (day_starts_at_ms, cycle_starts_at_ms, unit, workspace, group_id, user, model, tier, surface)
  ) STRICT, WITHOUT ROWID`,
  // The sums of the cube by cycle, model and tier. Kept as long as the other totals of their cycle.
  `CREATE TABLE totals_model (
    unit TEXT NOT NULL,
    cycle_starts_at_ms INTEGER NOT NULL,
    model TEXT NOT NULL,
    tier TEXT NOT NULL,
    ${signed("cycle_micros")},
    model_requests INTEGER NOT NULL,
    ${signed("savings_micros")},
    kinds TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (unit, cycle_starts_at_ms, model, tier)
  ) STRICT, WITHOUT ROWID`,
  // What is in the totals already is not in the cube. A new object has neither row.
  "INSERT INTO progress SELECT 'cube_folded', value FROM progress WHERE name = 'folded'",
  `INSERT INTO progress SELECT 'before_cube_ms', last_at_ms FROM enterprise
    WHERE EXISTS (SELECT 1 FROM totals_time) OR EXISTS (SELECT 1 FROM outbox_items)`,
];

/** The cap at the end of each cycle, and a rebuild of the copy, which fills the columns that runs have in D1 since. */
export const CYCLE_STEP: string[] = [
  "ALTER TABLE cycles ADD COLUMN cap_micros INTEGER",
  `INSERT INTO progress
    SELECT 'rebuild_asked', 1 + coalesce((SELECT max(value) FROM progress WHERE name IN ('rebuild_asked', 'rebuilt')), 0)
    FROM enterprise WHERE true
    ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
];
