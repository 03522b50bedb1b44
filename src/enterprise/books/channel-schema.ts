/** The tables of channels, messages and webhook secrets: a step of the object's schema. */
export const CHANNELS_STEP = [
  // Where messages about the balance go, in addition to the webhook URL. At most 50 rows.
  `CREATE TABLE channels (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('slack', 'email', 'webhook')),
    target TEXT NOT NULL,
    secret TEXT,
    events TEXT,
    thresholds TEXT NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    site TEXT NOT NULL,
    confirm_id TEXT,
    confirm_sent_at_ms INTEGER,
    confirmed_at_ms INTEGER,
    created_by TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  // What the channels were notified of, as JSON. Null while no channel is active.
  "ALTER TABLE enterprise ADD COLUMN alerted TEXT",
  // The channel of an event; empty for the webhook URL. The queue has at most some thousand rows.
  "ALTER TABLE webhooks ADD COLUMN channel TEXT NOT NULL DEFAULT ''",
  "CREATE INDEX webhooks_waiting ON webhooks (channel, number) WHERE next_at_ms IS NOT NULL",
  // The secret that signs what goes to the webhook URL. The last release derived it from SIGNING_SECRET.
  `CREATE TABLE webhook_secret (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    url TEXT NOT NULL,
    secret TEXT NOT NULL
  ) STRICT`,
  // Reports of ended cycles that are still to be made, with how far that has come. Each row is deleted once it is sent.
  `CREATE TABLE reports_due (
    cycle_starts_at_ms INTEGER PRIMARY KEY,
    unit TEXT NOT NULL,
    after_seq INTEGER NOT NULL,
    facts TEXT NOT NULL,
    cursor TEXT
  ) STRICT`,
];
