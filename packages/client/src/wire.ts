/**
 * Types of the JSON that the client and the ledger exchange. The client imports nothing from the Worker, so these types
 * repeat the Worker's schemas by hand. A test compares the types with the schemas, and fails to compile if they differ.
 */

export type Surface = "web" | "cli";
export type Unit = "credits" | "usd";
export type Action = "continue" | "wind_down" | "stop";
export type StopReason =
  | "credits_exhausted"
  | "spend_cap_reached"
  | "budget_exhausted"
  | "hold_exhausted"
  | "enterprise_suspended";

/**
 * What one run has used of one model so far, by kind. No token counts twice: `input_tokens` excludes cached tokens, and
 * neither `input_tokens` nor `output_tokens` includes audio or images that are stated apart.
 */
export type Usage = {
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens?: number;
  /** Cache writes that last five minutes, and those of unknown lifetime. */
  cache_write_tokens?: number;
  cache_write_1h_tokens?: number;
  input_audio_tokens?: number;
  cache_audio_read_tokens?: number;
  output_audio_tokens?: number;
  input_image_tokens?: number;
  cache_image_read_tokens?: number;
  output_image_tokens?: number;
  /** Searches made, not pages opened. */
  web_searches?: number;
  /** Searches in stored files. */
  storage_searches?: number;
};

export type Report = {
  run: string;
  model: string;
  /** The price tier; `standard` if it is missing. */
  tier?: string;
  usage: Usage;
  surface?: Surface;
  workspace?: string;
  user?: string;
  group?: string;
  started_at?: string;
  final?: boolean;
  /** A part of the usage is an estimate, because a stream was cut off before its usage arrived. */
  estimated?: boolean;
};

export type DebitAnswer = {
  run: string;
  model: string;
  tier: string;
  /** False while nothing prices the model. The usage is kept, and charged once there is a price. */
  priced: boolean;
  charged_micros: number;
  run_total_micros: number;
  unit: Unit;
  remaining_micros: number | null;
  available_micros: number | null;
  used_percent: number | null;
  action: Action;
  reason: StopReason | null;
  seq: number;
  /** How long the ledger asks the run to collect usage before it reports again, in ms. */
  report_after_ms: number;
};

/** Why the ledger refused one report of a batch. */
export type ItemRefusal = { status: number; code: string; detail: string };

export type StartRequest = {
  run: string;
  surface: Surface;
  workspace: string;
  user: string;
  group?: string;
  started_at?: string;
  model?: string;
  hold_micros?: number;
  hold_ttl_seconds?: number;
};

export type Hold = { micros: number; expires_at: string };

export type RunStarted = { run: string; admitted: true; hold: Hold | null; gauge: Gauge };

type Alert = {
  code: string;
  level: "info" | "warning" | "critical";
  message: string;
  action?: { label: string; url: string } | undefined;
};

/** The budget of a workspace, a group or a user that has too little left for a run. */
export type ExhaustedBudget = {
  dimension: "workspace" | "group" | "user";
  id: string;
  period: "day" | "cycle";
  limit_micros: number | null;
  used_micros: number;
  held_micros: number;
  resets_at: string;
};

/** A budget as it stands for a person who reads the gauge. */
type Budget = {
  dimension: "workspace" | "group" | "user";
  id: string;
  name: string;
  period: "day" | "cycle";
  limit_micros: number | null;
  action: "block" | "warn";
  unit: Unit;
  active: boolean;
  used_micros: number | null;
  held_micros: number | null;
  remaining_micros: number | null;
  used_percent: number | null;
  resets_at: string;
  inherited: boolean;
};

/** The state of an enterprise at one moment. */
export type Gauge = {
  enterprise: string;
  name: string;
  billing_model: "credits" | "byom";
  unit: Unit;
  plan: string;
  suspended: boolean;
  as_of: string;
  seq: number;
  cycle: { starts_at: string; ends_at: string; days_elapsed: number; days_remaining: number; days_total: number };
  monthly: { allowance_micros: number; used_micros: number; remaining_micros: number } | null;
  bonus: { used_micros: number; remaining_micros: number; next_expiry: { at: string; micros: number } | null } | null;
  spend: { cap_micros: number | null; used_micros: number } | null;
  used_micros: number;
  total_micros: number | null;
  remaining_micros: number | null;
  debt_micros: number;
  held_micros: number;
  available_micros: number | null;
  used_percent: number | null;
  avg_per_day_micros: number;
  run_out_days: number | null;
  run_out_at: string | null;
  on_track_to_run_out: boolean;
  alerts: Alert[];
  /** For a session or an embed token: what counts for its user. */
  my_budgets?: Budget[] | undefined;
};
