// What the workers of a campaign come to: the last line of their output.

/** Of test/simulation/campaign.ts. */
export interface Simulated {
  worlds: number;
  days: number;
  events: number;
  /** The seeds of the worlds that broke a promise. */
  violations: number[];
  happenings: Record<string, number>;
}

/** Of test/crash/campaign.ts. */
export interface Crashed {
  sessions: number;
  kills: number;
  acknowledged: number;
  lost: number;
  doubled: number;
  /** The longest that a copy took to catch up by itself. */
  resumedMs: number;
  moments: Record<string, number>;
  violations: string[];
}

/** Of test/contention/campaign.ts. */
export interface Contended {
  /** How many agents a crowd has, how many crowds there were, and how many agents asked for a hold in all of them. */
  agents: number;
  crowds: number;
  held: number;
  /** With holds. */
  overspentMicros: number;
  /** Without: the largest part of its bound that an overspend came to. */
  worstOfBound: number;
  violations: string[];
}
