/** Problems that an operator should see in the logs. The agent need not react to them. */

export type Trouble =
  /** The ledger did not answer, or could not accept the reports now. They are sent again after `pauseMs`. */
  | { kind: "unreachable"; status: number; detail: string; failures: number; pauseMs: number }
  /** The ledger refused a report. Sending it again would not help. */
  | { kind: "report_refused"; run: string; model: string; status: number; code: string; detail: string }
  /** A model call ended without stating its usage. It is not counted. */
  | { kind: "no_usage"; run: string; detail: string }
  /** A run continues that was started elsewhere, without the totals it had used there. Its final totals are too low. */
  | { kind: "totals_missing"; run: string; detail: string }
  /** `keep` threw, rejected or took too long. The totals were reported anyway. */
  | { kind: "keep_failed"; run: string; detail: string }
  /** A listener given to `onAction` threw. */
  | { kind: "listener_failed"; run: string; detail: string };
