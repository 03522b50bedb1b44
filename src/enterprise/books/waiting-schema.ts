/** The step of the object's schema that creates the tables of what waits for a price (waiting.ts). */
export const WAITING_STEP: string[] = [
  // What waits, summed by reported name and tier. A debit writes here only while its meter has no price.
  `CREATE TABLE waiting_names (
    name TEXT NOT NULL,
    tier TEXT NOT NULL,
    meters INTEGER NOT NULL,
    usage TEXT NOT NULL,
    PRIMARY KEY (name, tier)
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX waiting_names_by_meters ON waiting_names (meters)",
  // One row: how many meters wait, what the catalog knows of it, and when the waiting meters must be priced again.
  `CREATE TABLE waiting_state (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    meters INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    listed INTEGER NOT NULL CHECK (listed IN (0, 1)),
    tried_at_ms INTEGER NOT NULL,
    pause_ms INTEGER NOT NULL,
    known_version INTEGER NOT NULL,
    wanted INTEGER NOT NULL,
    checked_at_ms INTEGER NOT NULL
  ) STRICT`,
];
