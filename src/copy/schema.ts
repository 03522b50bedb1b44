/**
 * The schema of the copy in D1, which pages and lists read. Every total is absolute, with a revision set by the
 * enterprise's Durable Object. The copy can be rebuilt from the Durable Objects at any time. Every key starts with the
 * enterprise, so that a query cannot mix two enterprises by accident. Times are in milliseconds since the epoch.
 */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { SURFACES } from "../ledger/books.ts";
import { DIMENSIONS } from "../ledger/dimensions.ts";
import { UNITS } from "../ledger/micros.ts";
import { TOTAL_DIMENSIONS } from "./batch.ts";

const amount = (name: string) => integer(name).notNull();
/** The rebuild that wrote the row last. Rows of earlier generations are deleted when a rebuild ends. */
const generation = () => integer("generation").notNull().default(0);

/**
 * Enterprises as of their last projection, for lists. The current state is only in each enterprise's Durable Object.
 */
export const enterprises = sqliteTable(
  "enterprises",
  {
    id: text("id").primaryKey(),
    createdAtMs: integer("created_at_ms").notNull(),
    name: text("name").notNull(),
    suspended: integer("suspended", { mode: "boolean" }).notNull().default(false),
    /** The result of attentionOf at the time of the projection. */
    attention: integer("attention").notNull().default(0),
    /** The gauge as JSON, at the time of the projection. */
    gauge: text("gauge").notNull(),
    /** The revision of the last batch that was written. */
    revision: integer("revision").notNull(),
    generation: generation(),
    /** The revision since which no batch is missing. It rises when this copy was lost or replaced by an older one. */
    sinceRevision: integer("since_revision").notNull().default(0),
    /** The shard that has the enterprise's copy, if this row only lists it; null if the copy is in this database. */
    shard: text("shard"),
    /** The revision of the settings that the search keys were made from. */
    settingsRevision: integer("settings_revision").notNull().default(0),
  },
  (t) => [
    // This index has only columns that never change, so that writing a gauge writes no index row.
    index("enterprises_newest").on(t.createdAtMs, t.id),
    // This index covers only the few enterprises that need attention.
    index("enterprises_attention").on(t.attention, t.createdAtMs, t.id).where(sql`attention > 0`),
  ],
);

/** The search keys of enterprises (search-keys.ts). Written when settings change, not with every gauge. */
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
    unit: text("unit", { enum: UNITS }).notNull(),
    startsAtMs: integer("starts_at_ms").notNull(),
    surface: text("surface", { enum: SURFACES }).notNull(),
    amountMicros: amount("amount_micros"),
    revision: integer("revision").notNull(),
    generation: generation(),
  },
  (t) => [primaryKey({ columns: [t.enterprise, t.unit, t.startsAtMs, t.surface] })],
);

/** Charges by the local day in which they arrived. */
export const usageDaily = sqliteTable(
  "usage_daily",
  {
    enterprise: text("enterprise").notNull(),
    unit: text("unit", { enum: UNITS }).notNull(),
    startsAtMs: integer("starts_at_ms").notNull(),
    surface: text("surface", { enum: SURFACES }).notNull(),
    amountMicros: amount("amount_micros"),
    revision: integer("revision").notNull(),
    generation: generation(),
  },
  (t) => [primaryKey({ columns: [t.enterprise, t.unit, t.startsAtMs, t.surface] })],
);

/** A cycle's charges and requests by workspace, group and user, and in total (dimension `all`, id ''). */
export const usageByDimension = sqliteTable(
  "usage_by_dimension",
  {
    enterprise: text("enterprise").notNull(),
    unit: text("unit", { enum: UNITS }).notNull(),
    cycleStartsAtMs: integer("cycle_starts_at_ms").notNull(),
    dimension: text("dimension", { enum: TOTAL_DIMENSIONS }).notNull(),
    id: text("id").notNull(),
    requests: integer("requests").notNull(),
    amountMicros: amount("amount_micros"),
    revision: integer("revision").notNull(),
    generation: generation(),
    /** The result of magnitudeOf for the amount, if `magnitudeRevision` is the row's revision. */
    magnitude: integer("magnitude").notNull().default(0),
    /** The revision that wrote the magnitude last. An earlier release raises only the revision. */
    magnitudeRevision: integer("magnitude_revision").notNull().default(0),
  },
  (t) => [
    primaryKey({ columns: [t.enterprise, t.unit, t.cycleStartsAtMs, t.dimension, t.id] }),
    // This index finds the largest rows. A charge that leaves the magnitude as it is does not write to it.
    index("usage_by_dimension_magnitude").on(t.enterprise, t.unit, t.cycleStartsAtMs, t.dimension, t.magnitude),
    // This index finds the rows that an earlier release wrote last.
    index("usage_by_dimension_unranked")
      .on(t.enterprise, t.unit, t.cycleStartsAtMs, t.dimension)
      .where(sql`magnitude_revision <> revision`),
  ],
);

/**
 * The usage cube: the usage on each local day by workspace, group, user, model, tier and surface. A day that a turn cuts
 * has rows for both cycles. Rows are kept for 400 days.
 */
export const usageCube = sqliteTable(
  "usage_cube",
  {
    enterprise: text("enterprise").notNull(),
    dayStartsAtMs: integer("day_starts_at_ms").notNull(),
    cycleStartsAtMs: integer("cycle_starts_at_ms").notNull(),
    unit: text("unit", { enum: UNITS }).notNull(),
    workspace: text("workspace").notNull(),
    group: text("group_id").notNull(),
    user: text("user").notNull(),
    model: text("model").notNull(),
    tier: text("tier").notNull(),
    surface: text("surface", { enum: SURFACES }).notNull(),
    /** The charges that arrived on the day, and those that count in the cycle. */
    amountMicros: amount("amount_micros"),
    cycleMicros: amount("cycle_micros"),
    /** Runs whose first report was this row's: of all reports, for the model, for the model and tier. */
    requests: integer("requests").notNull(),
    modelRequests: integer("model_requests").notNull(),
    meterRequests: integer("meter_requests").notNull(),
    savingsMicros: amount("savings_micros"),
    /** JSON: quantity and amount in the cycle, by kind. */
    kinds: text("kinds").notNull(),
    /** JSON: what arrived in each local hour, by the minute of the day at which the hour starts. */
    hours: text("hours").notNull(),
    revision: integer("revision").notNull(),
    generation: generation(),
  },
  (t) => [
    primaryKey({
      columns: [
        t.enterprise,
        t.dayStartsAtMs,
        t.cycleStartsAtMs,
        t.unit,
        t.workspace,
        t.group,
        t.user,
        t.model,
        t.tier,
        t.surface,
      ],
    }),
    // None of these columns ever changes, so only a new row writes to these indexes.
    index("usage_cube_of_workspace").on(t.enterprise, t.workspace, t.dayStartsAtMs),
    index("usage_cube_of_group").on(t.enterprise, t.group, t.dayStartsAtMs),
    index("usage_cube_of_user").on(t.enterprise, t.user, t.dayStartsAtMs),
    index("usage_cube_of_model").on(t.enterprise, t.model, t.dayStartsAtMs),
    index("usage_cube_of_surface").on(t.enterprise, t.surface, t.dayStartsAtMs),
  ],
);

/** The sums of the usage cube by cycle, model and tier, for tables without a filter. */
export const usageByModel = sqliteTable(
  "usage_by_model",
  {
    enterprise: text("enterprise").notNull(),
    unit: text("unit", { enum: UNITS }).notNull(),
    cycleStartsAtMs: integer("cycle_starts_at_ms").notNull(),
    model: text("model").notNull(),
    tier: text("tier").notNull(),
    cycleMicros: amount("cycle_micros"),
    modelRequests: integer("model_requests").notNull(),
    savingsMicros: amount("savings_micros"),
    kinds: text("kinds").notNull(),
    revision: integer("revision").notNull(),
    generation: generation(),
  },
  (t) => [primaryKey({ columns: [t.enterprise, t.unit, t.cycleStartsAtMs, t.model, t.tier] })],
);

export const runs = sqliteTable(
  "runs",
  {
    enterprise: text("enterprise").notNull(),
    run: text("run").notNull(),
    surface: text("surface", { enum: SURFACES }).notNull(),
    workspace: text("workspace").notNull(),
    group: text("group_id").notNull(),
    user: text("user").notNull(),
    startedAtMs: integer("started_at_ms").notNull(),
    lastReportAtMs: integer("last_report_at_ms"),
    /** JSON list of model ids. */
    models: text("models").notNull(),
    unit: text("unit", { enum: UNITS }).notNull(),
    chargedMicros: amount("charged_micros"),
    /** The cycle of the latest charge, and how much of the charge belongs to that cycle. */
    cycleStartsAtMs: integer("cycle_starts_at_ms").notNull(),
    cycleMicros: amount("cycle_micros"),
    final: integer("final", { mode: "boolean" }).notNull(),
    /** JSON: what it used by kind, and the versions of the price book that priced it. Null if this is not known. */
    usage: text("usage"),
    priceBookVersions: text("price_book_versions"),
    revision: integer("revision").notNull(),
    generation: generation(),
  },
  (t) => [
    primaryKey({ columns: [t.enterprise, t.run] }),
    // This index finds the runs of a cycle, regardless of when they started.
    index("runs_of_cycle").on(t.enterprise, t.cycleStartsAtMs, t.startedAtMs, t.run),
    index("runs_of_workspace").on(t.enterprise, t.workspace, t.startedAtMs, t.run),
    index("runs_of_group").on(t.enterprise, t.group, t.startedAtMs, t.run),
    index("runs_of_user").on(t.enterprise, t.user, t.startedAtMs, t.run),
    // This index also lists all runs, newest first: each surface in turn (read-runs.ts).
    index("runs_of_surface").on(t.enterprise, t.surface, t.startedAtMs, t.run),
  ],
);

/** The models that a run used, so that runs are found by model. Deleted with their runs. */
export const runModels = sqliteTable(
  "run_models",
  {
    enterprise: text("enterprise").notNull(),
    run: text("run").notNull(),
    model: text("model").notNull(),
    startedAtMs: integer("started_at_ms").notNull(),
    /** False for a name under which usage had waited, once a price has given it its model's id. */
    used: integer("used", { mode: "boolean" }).notNull(),
    revision: integer("revision").notNull(),
    generation: generation(),
  },
  (t) => [
    primaryKey({ columns: [t.enterprise, t.run, t.model] }),
    index("run_models_newest").on(t.enterprise, t.model, t.startedAtMs, t.run),
  ],
);

/** What a run was charged in cycles other than the one in its own row, and in the other unit. Deleted with its run. */
export const runCycles = sqliteTable(
  "run_cycles",
  {
    enterprise: text("enterprise").notNull(),
    run: text("run").notNull(),
    unit: text("unit", { enum: UNITS }).notNull(),
    cycleStartsAtMs: integer("cycle_starts_at_ms").notNull(),
    startedAtMs: integer("started_at_ms").notNull(),
    micros: amount("micros"),
    revision: integer("revision").notNull(),
    generation: generation(),
  },
  (t) => [
    primaryKey({ columns: [t.enterprise, t.run, t.unit, t.cycleStartsAtMs] }),
    index("run_cycles_newest").on(t.enterprise, t.cycleStartsAtMs, t.startedAtMs, t.run),
  ],
);

/** The journal, except for the entries of closed runs, which earlier releases copied too. */
export const entries = sqliteTable(
  "entries",
  {
    enterprise: text("enterprise").notNull(),
    seq: integer("seq").notNull(),
    atMs: integer("at_ms").notNull(),
    type: text("type").notNull(),
    by: text("caused_by").notNull(),
    facts: text("facts").notNull(),
    generation: generation(),
  },
  (t) => [
    primaryKey({ columns: [t.enterprise, t.seq] }),
    // These indexes are partial, because an earlier release copied the many entries of closed runs.
    index("entries_of_cap").on(t.enterprise, t.seq).where(sql`type = 'cap_changed'`),
    index("entries_of_changes").on(t.enterprise, t.seq).where(sql`type <> 'run_closed'`),
  ],
);

/** The directory: the names of ids, and the current group of each workspace. */
export const names = sqliteTable(
  "names",
  {
    enterprise: text("enterprise").notNull(),
    kind: text("kind", { enum: DIMENSIONS }).notNull(),
    id: text("id").notNull(),
    name: text("name").notNull(),
    group: text("group_id"),
    revision: integer("revision").notNull(),
    generation: generation(),
  },
  (t) => [primaryKey({ columns: [t.enterprise, t.kind, t.id] })],
);
