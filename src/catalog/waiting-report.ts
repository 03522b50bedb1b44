/** What enterprises tell the catalog about usage that waits for a price. It has no Workers types; see job-record.ts. */
import type { Usage } from "../ledger/prices.ts";

export type WaitingReport = {
  enterprise: string;
  /** The catalog ignores a report with a lower revision than the last one of this enterprise. */
  revision: number;
  /** How many meters wait; 0 ends the enterprise's place in the list. */
  meters: number;
  /** The names with the most waiting meters. */
  names: { name: string; tier: string; meters: number; usage: Usage }[];
};

/** The current version of the price book, and how long to wait before the next report. */
export type WaitingReceived = { version: number; pauseMs: number };
