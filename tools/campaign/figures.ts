// The results that the workers of a campaign print as JSON in their last line of output.

/** The result of test/simulation/campaign.ts. */
export interface Simulated {
  worlds: number;
  days: number;
  events: number;
  /** The seeds of the worlds in which a check failed. */
  violations: number[];
  rareEvents: Record<string, number>;
}

/** The result of test/crash/campaign.ts. */
export interface Crashed {
  sessions: number;
  kills: number;
  acknowledged: number;
  lost: number;
  doubled: number;
  /** The longest time that a copy took to catch up without help. */
  resumedMs: number;
  moments: Record<string, number>;
  violations: string[];
}

/** The result of test/contention/campaign.ts. */
export interface Contended {
  /** Agents per crowd, number of crowds, and agents that asked for a hold, over all crowds. */
  agents: number;
  crowds: number;
  held: number;
  /** Overspent by agents with holds. */
  overspentMicros: number;
  /** Without holds: the largest overspend, as a share of what it may be at most. */
  worstOfBound: number;
  violations: string[];
}
