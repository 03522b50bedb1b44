/** Problems that the client passes to `onTrouble`, for the operator's logs. The agent does not have to react to them. */
import type { Uncounted } from "./counted.ts";

export type Trouble =
  /** The ledger did not respond, or could not accept the reports now. The client sends them again after `pauseMs`. */
  | { kind: "unreachable"; status: number; detail: string; failures: number; pauseMs: number }
  /** The ledger refused a report. Sending it again would not help. */
  | { kind: "report_refused"; run: string; model: string; status: number; code: string; detail: string }
  /** A report contains an unknown kind, or a count that cannot be right. Its other kinds are counted. */
  | { kind: "invalid_usage"; run: string; model: string; detail: string }
  /** A run went on after `close`, and what it counted since then is not sent. The client says so once. */
  | { kind: "reported_after_close"; run: string; model: string; detail: string }
  /** A model call ended before the provider stated its usage, so the call is not counted. `reason` says why. */
  | { kind: "no_usage"; run: string; model: string | null; reason: Uncounted["reason"]; detail: string }
  /** A model call ended before the provider stated all of its usage. What it had stated is counted. */
  | { kind: "partial_usage"; run: string; model: string | null; reason: Uncounted["reason"]; detail: string }
  /** A run that another process started continues without its earlier totals. Its final totals will be too low. */
  | { kind: "totals_missing"; run: string; detail: string }
  /** `keep` threw, rejected or took too long. The totals were reported anyway. */
  | { kind: "keep_failed"; run: string; detail: string }
  /** `weigh` threw, or did not return a number. The client counts all tokens instead, and says so only once. */
  | { kind: "weigh_failed"; detail: string }
  /** A listener given to `onAction` threw. */
  | { kind: "listener_failed"; run: string; detail: string };
