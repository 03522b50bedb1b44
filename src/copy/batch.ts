/**
 * What an enterprise's object sends to the copy: absolute rows with revisions, never increments. Batches may be written
 * twice, late or out of order; the copy ends up the same.
 */
import type { Attention } from "../ledger/attention.ts";
import type { Surface } from "../ledger/books.ts";
import type { Entry } from "../ledger/entries.ts";
import type { Micros, Unit } from "../ledger/micros.ts";
import type { RunSummary } from "../ledger/receipt.ts";
import type { AtMs } from "../ledger/time.ts";

/** A total of a local hour or day. */
export type TimeTotal = {
  span: "hour" | "day";
  unit: Unit;
  startsAtMs: AtMs;
  surface: Surface;
  amountMicros: Micros;
  revision: number;
};

/** A cycle's total for one workspace, group or user, or for all of them (dimension `all`, empty id). */
export type CycleTotal = {
  unit: Unit;
  cycleStartsAtMs: AtMs;
  dimension: Dimension;
  id: string;
  requests: number;
  amountMicros: Micros;
  revision: number;
};

export type Dimension = "all" | "workspace" | "group" | "user";

export type Totals = { time: TimeTotal[]; cycle: CycleTotal[] };

/** A run as the copy lists it, with the cycle of its latest charge and how much of the charge belongs to that cycle. */
export type RunRow = RunSummary & { cycleStartsAtMs: AtMs; cycleMicros: Micros };

export type NameRow = { kind: string; id: string; name: string; group: string | null; revision: number };

export type Batch = {
  enterprise: string;
  createdAtMs: AtMs;
  name: string;
  suspended: boolean;
  attention: Attention;
  /** The gauge as JSON. */
  gauge: string;
  totals: Totals;
  runs: RunRow[];
  entries: Entry[];
  names: NameRow[];
  /** The revision of the enterprise and of the runs in this batch. It increases with every batch. */
  revision: number;
  /** The batch contains the outbox up to this seq; 0 if it contains none of it. */
  outboxSeq: number;
  /** The revision of the settings if they are new to the copy, which then replaces the search keys; otherwise null. */
  settingsRevision: number | null;
};
