/** Problems that the client passes to `onTrouble`, for the operator's logs. The agent does not have to react to them. */

export type Trouble =
  /** The ledger did not respond, or could not accept the reports now. The client sends them again after `pauseMs`. */
  | { kind: "unreachable"; status: number; detail: string; failures: number; pauseMs: number }
  /** The ledger refused a report. Sending it again would not help. */
  | { kind: "report_refused"; run: string; model: string; status: number; code: string; detail: string }
  /** The provider reported no usage for a model call, so the call is not counted. */
  | { kind: "no_usage"; run: string; detail: string }
  /** A run that another process started continues without its earlier totals. Its final totals will be too low. */
  | { kind: "totals_missing"; run: string; detail: string }
  /** `keep` threw, rejected or took too long. The totals were reported anyway. */
  | { kind: "keep_failed"; run: string; detail: string }
  /** A listener given to `onAction` threw. */
  | { kind: "listener_failed"; run: string; detail: string };
