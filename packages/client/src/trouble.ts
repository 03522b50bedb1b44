/** What an operator would want to know and an agent need not care about; for logs. */

export type Trouble =
  /** The ledger did not take what was sent; it is sent again. */
  | { kind: "unreachable"; status: number; detail: string; failures: number; pauseMs: number }
  /** The ledger refused a report for good. */
  | { kind: "report_refused"; run: string; model: string; status: number; code: string; detail: string }
  /** A stream ended without saying what it used. */
  | { kind: "no_usage"; run: string; detail: string }
  /** A run goes on that was begun elsewhere, and nobody said what it had used: its final totals would be too low. */
  | { kind: "totals_missing"; run: string; detail: string }
  | { kind: "keep_failed"; run: string; detail: string }
  | { kind: "listener_failed"; run: string; detail: string };
