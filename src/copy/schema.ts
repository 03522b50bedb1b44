/**
 * The reporting copy in D1: what pages join and readers list. Every row is an absolute total with the revision it had
 * in the enterprise's object; D1 can be deleted and rebuilt from there. Keys begin with the enterprise, so no query
 * can touch two. Times are epoch milliseconds.
 */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

const amount = (name: string) => integer(name).notNull();

/** An enterprise as it was last projected, for lists over all of them; the object has the truth. */
export const enterprises = sqliteTable(
  "enterprises",
  {
    id: text("id").primaryKey(),
    createdAtMs: integer("created_at_ms").notNull(),
    name: text("name").notNull(),
    suspended: integer("suspended", { mode: "boolean" }).notNull().default(false),
    /** As attentionOf had it at the moment of the projection. */
    attention: integer("attention").notNull().default(0),
    /** The gauge as JSON, at the moment of the projection. */
    gauge: text("gauge").notNull(),
    revision: integer("revision").notNull(),
    /** The revision of the settings that the search keys were made from. */
    settingsRevision: integer("settings_revision").notNull().default(0),
  },
  (t) => [
    // Of what never changes, so that writing a gauge writes no row of it.
    index("enterprises_newest").on(t.createdAtMs, t.id),
    // Of the few that ask for attention only.
    index("enterprises_attention").on(t.attention, t.createdAtMs, t.id).where(sql`attention > 0`),
  ],
);

/** What an enterprise is found by: see search-keys.ts. Written when its settings change, not with every gauge. */
export const enterpriseSearch = sqliteTable(
  "enterprise_search",
  { enterprise: text("enterprise").notNull(), key: text("key").notNull() },
  (t) => [primaryKey({ columns: [t.enterprise, t.key] }), index("enterprise_search_key").on(t.key, t.enterprise)],
);

/** Charges by the local hour in which they arrived. A refund may make an hour negative. */
export const usageHourly = sqliteTable(
  "usage_hourly",
  {
    enterprise: text("enterprise").notNull(),
    unit: text("unit", { enum: ["credits", "usd"] }).notNull(),
    startsAtMs: integer("starts_at_ms").notNull(),
    surface: text("surface", { enum: ["web", "cli"] }).notNull(),
    amountMicros: amount("amount_micros"),
    revision: integer("revision").notNull(),
  },
  (t) => [primaryKey({ columns: [t.enterprise, t.unit, t.startsAtMs, t.surface] })],
);

/** Charges by the local day in which they arrived. */
export const usageDaily = sqliteTable(
  "usage_daily",
  {
    enterprise: text("enterprise").notNull(),
    unit: text("unit", { enum: ["credits", "usd"] }).notNull(),
    startsAtMs: integer("starts_at_ms").notNull(),
    surface: text("surface", { enum: ["web", "cli"] }).notNull(),
    amountMicros: amount("amount_micros"),
    revision: integer("revision").notNull(),
  },
  (t) => [primaryKey({ columns: [t.enterprise, t.unit, t.startsAtMs, t.surface] })],
);

/** A cycle's charges and requests by workspace, group, user, and in all (dimension `all`, id ''). */
export const usageByDimension = sqliteTable(
  "usage_by_dimension",
  {
    enterprise: text("enterprise").notNull(),
    unit: text("unit", { enum: ["credits", "usd"] }).notNull(),
    cycleStartsAtMs: integer("cycle_starts_at_ms").notNull(),
    dimension: text("dimension", { enum: ["all", "workspace", "group", "user"] }).notNull(),
    id: text("id").notNull(),
    requests: integer("requests").notNull(),
    amountMicros: amount("amount_micros"),
    revision: integer("revision").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.enterprise, t.unit, t.cycleStartsAtMs, t.dimension, t.id] }),
    // The order of a leaderboard: a page of it reads a page of rows.
    index("usage_by_dimension_amount").on(t.enterprise, t.unit, t.cycleStartsAtMs, t.dimension, t.amountMicros, t.id),
  ],
);

export const runs = sqliteTable(
  "runs",
  {
    enterprise: text("enterprise").notNull(),
    run: text("run").notNull(),
    surface: text("surface", { enum: ["web", "cli"] }).notNull(),
    workspace: text("workspace").notNull(),
    group: text("group_id").notNull(),
    user: text("user").notNull(),
    startedAtMs: integer("started_at_ms").notNull(),
    lastReportAtMs: integer("last_report_at_ms"),
    /** JSON list of model ids. */
    models: text("models").notNull(),
    unit: text("unit", { enum: ["credits", "usd"] }).notNull(),
    chargedMicros: amount("charged_micros"),
    /** The cycle of its latest charge, and how much of the charge that cycle bears. */
    cycleStartsAtMs: integer("cycle_starts_at_ms").notNull(),
    cycleMicros: amount("cycle_micros"),
    final: integer("final", { mode: "boolean" }).notNull(),
    revision: integer("revision").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.enterprise, t.run] }),
    index("runs_newest").on(t.enterprise, t.startedAtMs, t.run),
    // Of one cycle, however long ago its runs began.
    index("runs_of_cycle").on(t.enterprise, t.cycleStartsAtMs, t.startedAtMs, t.run),
    index("runs_of_workspace").on(t.enterprise, t.workspace, t.startedAtMs, t.run),
    index("runs_of_group").on(t.enterprise, t.group, t.startedAtMs, t.run),
    index("runs_of_user").on(t.enterprise, t.user, t.startedAtMs, t.run),
    index("runs_of_surface").on(t.enterprise, t.surface, t.startedAtMs, t.run),
  ],
);

export const entries = sqliteTable(
  "entries",
  {
    enterprise: text("enterprise").notNull(),
    seq: integer("seq").notNull(),
    atMs: integer("at_ms").notNull(),
    type: text("type").notNull(),
    by: text("caused_by").notNull(),
    facts: text("facts").notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.enterprise, t.seq] }),
    // Of the few changes of a cap only: the many entries of closed runs write no row of it.
    index("entries_of_cap").on(t.enterprise, t.seq).where(sql`type = 'cap_changed'`),
    index("entries_of_changes").on(t.enterprise, t.seq).where(sql`type <> 'run_closed'`),
  ],
);

/** The directory: what an id is called, and which group a workspace is in now. */
export const names = sqliteTable(
  "names",
  {
    enterprise: text("enterprise").notNull(),
    kind: text("kind", { enum: ["workspace", "group", "user"] }).notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    group: text("group_id"),
    revision: integer("revision").notNull(),
  },
  (t) => [primaryKey({ columns: [t.enterprise, t.kind, t.id] })],
);
