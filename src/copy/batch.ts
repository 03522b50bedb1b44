/**
 * What travels from an enterprise's object to the copy: absolute rows with revisions, never increments. A batch may be
 * written twice, late, or in another order; the copy ends the same.
 */
import type { Attention } from "../ledger/attention.ts";
import type { Surface } from "../ledger/books.ts";
import type { Entry } from "../ledger/entries.ts";
import type { Micros, Unit } from "../ledger/micros.ts";
import type { RunSummary } from "../ledger/receipt.ts";
import type { AtMs } from "../ledger/time.ts";

/** A total by local hour or day. */
export type TimeTotal = {
  span: "hour" | "day";
  unit: Unit;
  startsAtMs: AtMs;
  surface: Surface;
  amountMicros: Micros;
  revision: number;
};

/** A total of a cycle for one workspace, group or user, or for all of them, whose id is empty. */
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

/** A run as the copy lists it: the view, with the part of its charge that its latest cycle bears. */
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
  /** The revision of the runs and of the enterprise in this batch: it rises with every batch. */
  revision: number;
  /** The outbox up to this seq is in the batch; 0 when none of it is. */
  outboxSeq: number;
  /** The revision of the settings, where the copy lacks them: it then makes the search keys anew. Else null. */
  settingsRevision: number | null;
};
