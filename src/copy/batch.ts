/**
 * The batches that an enterprise's Durable Object sends to its copy in D1. A batch holds absolute rows with revisions,
 * never increments. Batches may be written twice, late or out of order: the copy ends up the same.
 */
import type { Attention } from "../ledger/attention.ts";
import type { Surface } from "../ledger/books.ts";
import { DIMENSIONS } from "../ledger/dimensions.ts";
import type { Entry } from "../ledger/entries.ts";
import type { Kind } from "../ledger/kinds.ts";
import type { Micros, Unit } from "../ledger/micros.ts";
import type { Usage } from "../ledger/prices.ts";
import type { RunSummary } from "../ledger/receipt.ts";
import type { AtMs } from "../ledger/time.ts";

/** The total of one surface in one local hour or day. */
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
  dimension: TotalDimension;
  id: string;
  requests: number;
  amountMicros: Micros;
  revision: number;
};

export const TOTAL_DIMENSIONS = ["all", ...DIMENSIONS] as const;
export type TotalDimension = (typeof TOTAL_DIMENSIONS)[number];

/** Quantity and amount by kind. The amounts are those that count in their cycle. */
export type KindSums = { [kind in Kind]?: [quantity: number, micros: number] };

/** What identifies a cell of the usage cube, except for its unit and its times. */
type CellIds = {
  workspace: string;
  group: string;
  user: string;
  model: string;
  tier: string;
  surface: Surface;
};

/** The usage of one cell of the cube on one local day. A day that a turn cuts has a row for each cycle. */
export type CubeCell = CellIds & {
  unit: Unit;
  dayStartsAtMs: AtMs;
  cycleStartsAtMs: AtMs;
  /** The charges that arrived on this day. */
  amountMicros: number;
  /** The charges that count in the cycle: a refund of an earlier cycle's charge does not. */
  cycleMicros: number;
  /** Runs whose first report was this cell's: of all reports, for the model, for the model and tier. */
  requests: number;
  modelRequests: number;
  meterRequests: number;
  savingsMicros: number;
  kinds: KindSums;
  /** What arrived in each local hour, by the minute of the day at which the hour starts. */
  hours: { [minute: string]: number };
  revision: number;
};

/** The usage of one model and tier in a cycle. */
export type ModelTotal = Pick<
  CubeCell,
  | "unit"
  | "cycleStartsAtMs"
  | "model"
  | "tier"
  | "cycleMicros"
  | "modelRequests"
  | "savingsMicros"
  | "kinds"
  | "revision"
>;

export type Totals = { time: TimeTotal[]; cycle: CycleTotal[]; cells: CubeCell[]; models: ModelTotal[] };

export const NO_TOTALS: Totals = { time: [], cycle: [], cells: [], models: [] };

/** What a run was charged in one cycle, in one unit. */
export type RunCycle = { unit: Unit; cycleStartsAtMs: AtMs; micros: Micros };

/** A run as the copy lists it. */
export type RunRow = RunSummary & {
  /** The cycle of its latest charge in the summary's unit, and the part of its charges in that cycle. */
  cycleStartsAtMs: AtMs;
  cycleMicros: Micros;
  /** What it was charged in all other cycles, and in the other unit. */
  otherCycles: RunCycle[];
  /** Names under which its usage was once counted, before a price gave it its model's id. */
  formerModels: string[];
  /** What it used, and the versions of its prices; null if its meters were deleted before these were kept. */
  usage: Usage | null;
  priceBookVersions: number[] | null;
};

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
  /** The revision of this batch's rows for the enterprise and its runs. It increases with every batch. */
  revision: number;
  /**
   * The rebuild that this batch belongs to, or that ended last before it. Its rows replace the rows of earlier
   * generations whatever their revisions, and rows of an earlier generation than the copy's are not written.
   */
  generation: number;
  /** Whether a rebuild writes the batch. It also corrects columns that otherwise never change. */
  rebuild: boolean;
  /** The revision that D1 has confirmed. If the copy has not reached it, something is missing. */
  confirmedRevision: number;
  /** The seq up to which the batch contains the outbox; 0 if the batch contains no outbox rows. */
  outboxSeq: number;
  /** The seq of the ledger when the rows of the runs were read: they include all changes up to it. */
  runsSeq: number;
  /** The revision of the settings, or null if the copy already has it. If not null, the search keys are replaced. */
  settingsRevision: number | null;
};

/** The state of an enterprise's copy as D1 has it. */
export type CopyHead = { generation: number; revision: number; sinceRevision: number };
