/**
 * The view of the reference model: its gauge, grants, receipts, holds and journal, every number summed from scratch. The
 * other side of the comparison, the view of the real ledger, is in real-view.ts.
 */

import { numberOrNull, percentOf } from "./reference-meter.ts";
import type { World } from "./reference-model.ts";
import { mergeDraws, type View } from "./story.ts";

export function viewReference(world: World): View {
  const { unit, cycle } = world;
  const credits = unit === "credits";
  return {
    cycle,
    gauge: {
      unit,
      used: Number(world.used(unit)),
      total: numberOrNull(world.total(unit)),
      remaining: numberOrNull(world.remaining(unit)),
      debt: credits ? Number(world.inCycle("debt")) : 0,
      held: Number(world.held(unit)),
      available: numberOrNull(world.available(unit)),
      percent: percentOf(world.used(unit), world.total(unit)),
      monthly: credits
        ? {
            allowance: Number(world.allowance),
            used: Number(world.inCycle("monthly")),
            remaining: Number(world.monthlyLeft()),
          }
        : null,
      bonus: credits
        ? { used: Number(world.inCycle("grant")), remaining: Number(world.bonusLeft()), nextExpiry: nextExpiry(world) }
        : null,
      spend: credits ? null : { cap: numberOrNull(world.cap), used: Number(world.inCycle("spend")) },
    },
    grants: world.grants.map((grant) => ({
      id: grant.id,
      drawn: Number(world.drawnOn(grant)),
      remaining: Number(world.leftOf(grant)),
      state:
        grant.voided !== null
          ? "voided"
          : grant.expired > 0n
            ? "expired"
            : world.leftOf(grant) > 0n
              ? "active"
              : "used",
    })),
    meters: world.meters.map((meter) => ({
      run: meter.run,
      model: meter.model,
      unit: meter.unit,
      tokens: meter.tokens,
      final: meter.final,
      charged: Number(world.charged(meter)),
      draws: mergeDraws(
        meter.draws.map((draw) => ({
          bucket: draw.bucket,
          id: draw.grant ?? draw.cycle,
          cycle: draw.cycle,
          micros: Number(draw.micros),
          lapsed: Number(draw.lapsed),
        })),
      ),
    })),
    holds: [...world.holds].map(([run, hold]) => ({
      run,
      unit: hold.unit,
      micros: Number(hold.left),
      endsAtMs: hold.endsAtMs,
    })),
    entries: world.entries.map(({ type, atMs, micros }) => ({ type, atMs, micros: Number(micros) })),
  };
}

function nextExpiry(world: World): { atMs: number; micros: number } | null {
  const atMs = world.usable()[0]?.expiresAtMs ?? null;
  if (atMs === null) return null;
  const ending = world.usable().filter((grant) => grant.expiresAtMs === atMs);
  return { atMs, micros: ending.reduce((total, grant) => total + Number(world.leftOf(grant)), 0) };
}
