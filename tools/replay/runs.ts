// The runs of a replay: each request of the trace becomes one run with its attribution, its reports in the order of
// sending, and the ledger's latest answer. Uses neither the network nor a clock.

import type { PriceBook } from "../../src/catalog/price-book.ts";
import type { ModelPrice } from "../../src/catalog/price-entry.ts";
import { type Attribution, attributionOfRun } from "../kit/attribution.ts";
import { expectedChargeMicros, type TokenTotals, type Unit } from "../kit/expected-cost.ts";
import { seededRandom } from "../kit/random.ts";
import { type Delivery, deliverOnce, deliverWithChaos, planReports } from "./report-plan.ts";
import type { TraceRequest } from "./trace.ts";

/** One run of the replay and its progress. */
export interface ReplayRun extends Attribution {
  run: string;
  /** Milliseconds since the start of the trace. */
  atMs: number;
  usage: TokenTotals;
  deliveries: Delivery[];
  /** Index of the next delivery. */
  next: number;
  /** ISO time, set when the run starts. */
  startedAt: string | null;
  /** The newest answer received. */
  lastAnswer: { seq: number; totalMicros: bigint; unit: Unit } | null;
  /** Why the ledger refused a report; no more reports of this run are sent. */
  refusal: string | null;
}

/** The outcome of a replay. */
interface ReplaySums {
  requests: number;
  tokens: TokenTotals;
  expectedMicros: bigint;
  chargedMicros: bigint;
  refused: ReplayRun[];
}

/** The runs of a trace. `nonce` makes their ids unique among all replays; the same `seed` gives the same runs. */
export function planRuns(
  trace: TraceRequest[],
  { seed, nonce, chaos }: { seed: number; nonce: string; chaos: boolean },
): ReplayRun[] {
  return trace.map(({ atMs, usage }, index) => {
    const random = seededRandom(`${seed}/${index}`);
    const reports = planReports(usage, random);
    return {
      run: `replay-${nonce}-${index + 1}`,
      ...attributionOfRun(random),
      atMs,
      usage,
      deliveries: chaos ? deliverWithChaos(reports, random) : deliverOnce(reports),
      next: 0,
      startedAt: null,
      lastAnswer: null,
      refusal: null,
    };
  });
}

/** Sums what the runs should cost and what was charged, to the last micro. */
export function sumRuns(runs: ReplayRun[], price: ModelPrice, book: PriceBook): ReplaySums {
  const sums: ReplaySums = {
    requests: runs.length,
    tokens: { input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 },
    expectedMicros: 0n,
    chargedMicros: 0n,
    refused: runs.filter(({ refusal }) => refusal !== null),
  };
  // A run without any answer has no unit: use the others' unit, so that its whole cost is part of the difference.
  const commonUnit = runs.find(({ lastAnswer }) => lastAnswer)?.lastAnswer?.unit ?? "credits";
  for (const { usage, lastAnswer } of runs) {
    for (const kind of Object.keys(sums.tokens) as (keyof TokenTotals)[]) sums.tokens[kind] += usage[kind];
    sums.expectedMicros += expectedChargeMicros(usage, price, lastAnswer?.unit ?? commonUnit, book);
    sums.chargedMicros += lastAnswer?.totalMicros ?? 0n;
  }
  return sums;
}

/** The last line of a replay. */
export function sumsLine({ requests, tokens, expectedMicros, chargedMicros }: ReplaySums): string {
  return (
    `${requests} requests, tokens: input ${tokens.input_tokens}, output ${tokens.output_tokens}, ` +
    `cache read ${tokens.cache_read_tokens}, cache write ${tokens.cache_write_tokens}; ` +
    `expected ${expectedMicros} micros, charged ${chargedMicros} micros, difference ${chargedMicros - expectedMicros}`
  );
}
