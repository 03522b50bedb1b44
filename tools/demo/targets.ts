// What each demo enterprise has used of which cycle when the demo is first started. Pure.
// The targets follow from where now is in the cycle, so Acme is on track to run out on every day of the year.

import { cycleAt } from "../../src/ledger/cycle.ts";
import type { DemoEnterprise } from "./world.ts";

const DAY_MS = 86_400_000;

/** One billing cycle and what is used of it so far. */
interface CycleTarget {
  startsAtMs: number;
  endsAtMs: number;
  usedMicros: number;
  /** How busy the cycle was, compared with the current one. */
  activity: number;
}

/** The cycles of the demo's history, the oldest first. The last one is the current cycle. */
export function cycleTargets(
  { settings, grants, monthlyCapMicros, paceRatio, pastRatios }: DemoEnterprise,
  anchorDay: number,
  allowanceMicros: number,
  nowMs: number,
): CycleTarget[] {
  const current = cycleAt(nowMs, settings.time_zone, anchorDay);
  const limitMicros = monthlyCapMicros ?? allowanceMicros;
  const lasting = grants.filter(({ expiresInDays }) => endsAtMs(expiresInDays, nowMs) >= current.endsAtMs);
  const totalMicros = lasting.reduce((sum, { amount_micros }) => sum + amount_micros, limitMicros);
  const elapsedRatio = (nowMs - current.startsAtMs) / (current.endsAtMs - current.startsAtMs);
  const targets = [{ ...current, usedMicros: totalMicros * paceRatio * elapsedRatio, activity: 1 }];
  for (const ratio of pastRatios) {
    const past = cycleAt(targets[0]!.startsAtMs - 1, settings.time_zone, anchorDay);
    targets.unshift({ ...past, usedMicros: limitMicros * ratio, activity: ratio / paceRatio });
  }
  return targets;
}

function endsAtMs(expiresInDays: number | null, nowMs: number): number {
  return expiresInDays === null ? Number.POSITIVE_INFINITY : nowMs + expiresInDays * DAY_MS;
}
