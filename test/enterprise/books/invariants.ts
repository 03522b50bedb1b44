/**
 * The invariants of the ledger that are visible from outside, checked on the view after a step and against the view
 * before it. They do not know how the reference model counts.
 */
import { isDeepStrictEqual } from "node:util";
import type { View } from "./story.ts";

const KINDS = ["input", "output", "cache_read", "cache_write"] as const;

export function checkStep(before: View, after: View): void {
  checkMeters(before, after);
  checkBuckets(after);
  checkHolds(after);
  checkTurns(after);
}

/** M1: an open meter never decreases, and a closed one stays closed. */
function checkMeters(before: View, after: View): void {
  for (const meter of after.meters) {
    const was = before.meters.find((other) => other.run === meter.run && other.model === meter.model);
    if (was === undefined) continue;
    if (was.final) must(meter.final, "a closed meter stays closed");
    if (meter.final && !was.final) continue;
    must(meter.charged >= was.charged, "the charge of a meter never decreases");
    must(
      KINDS.every((kind) => meter.tokens[kind] >= was.tokens[kind]),
      "the totals of a meter never decrease",
    );
  }
}

/** B1–B4: no bucket is below zero or above its amount, every micro is in a bucket, debt only if nothing is usable. */
function checkBuckets({ gauge, grants, meters, cycle }: View): void {
  for (const { id, drawn, remaining } of grants) must(drawn >= 0 && remaining >= 0, `grant ${id} is not below zero`);
  for (const { run, model, draws, charged } of meters) {
    must(total(draws) === charged, `the draws of ${run} on ${model} sum to its charge`);
    must(
      draws.every((draw) => draw.micros >= 0 && draw.lapsed >= 0),
      `no draw of ${run} on ${model} is below zero`,
    );
  }
  if (gauge.monthly === null || gauge.bonus === null) return;
  const { monthly, bonus, debt } = gauge;
  must(monthly.remaining >= 0 && monthly.used + monthly.remaining === monthly.allowance, "the allowance adds up");
  must(gauge.used === monthly.used + bonus.used + debt, "what is used is drawn or owed");
  must(debt === 0 || monthly.remaining + bonus.remaining === 0, "there is debt only when nothing is usable");
  const owing = meters.flatMap((meter) => meter.draws).filter((draw) => draw.bucket === "debt");
  must(total(owing.filter((draw) => draw.cycle === cycle.startsAtMs)) === debt, "meters owe what the enterprise owes");
}

/** H1: the amount held is the sum of the holds. */
function checkHolds({ gauge, holds }: View): void {
  must(total(holds.filter((hold) => hold.unit === gauge.unit)) === gauge.held, "held is the sum of the holds");
  if (gauge.available === null || gauge.remaining === null) return;
  must(gauge.available === Math.max(0, gauge.remaining - gauge.debt - gauge.held), "available is what nobody holds");
}

/** B7, T1: each cycle starts once, later than the one before. */
function checkTurns({ entries, cycle }: View): void {
  const turns = entries
    .filter((entry) => entry.type === "cycle_started")
    .map((entry) => entry.atMs)
    .slice(1);
  must(
    isDeepStrictEqual(
      turns,
      [...new Set(turns)].sort((a, b) => a - b),
    ),
    "each cycle starts once, after the last",
  );
  must(turns.length === 0 || turns.at(-1) === cycle.startsAtMs, "the running cycle is the one that started last");
}

function total(parts: readonly { micros: number }[]): number {
  return parts.reduce((sum, part) => sum + part.micros, 0);
}

function must(holds: boolean, claim: string): void {
  if (!holds) throw new Error(`broken: ${claim}`);
}
