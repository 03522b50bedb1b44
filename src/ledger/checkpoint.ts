/**
 * Sums up entries in a checkpoint, so that the later entries of the journal replay to the balances without them. Debits
 * are not entries, so a checkpoint has none.
 */
import type { CheckpointFacts, EntryFacts } from "./entries.ts";
import { MAX_MICROS } from "./micros.ts";

const EMPTY: CheckpointFacts = {
  type: "checkpoint",
  entries: 0,
  cycleStartsAtMs: null,
  startAllowanceMicros: 0,
  allowanceMicros: 0,
  capMicros: null,
  grantedMicros: 0,
  expiredMicros: 0,
  voidedMicros: 0,
};

/** Returns the checkpoint after one more entry; null if a sum would exceed 2^53−1, so that the entry must be kept. */
export function addToCheckpoint(checkpoint: CheckpointFacts | null, facts: EntryFacts): CheckpointFacts | null {
  if (facts.type === "checkpoint" && checkpoint === null) return facts;
  const next = merge(checkpoint ?? EMPTY, facts);
  const { grantedMicros, expiredMicros, voidedMicros } = next;
  return Math.max(grantedMicros, expiredMicros, voidedMicros) > MAX_MICROS ? null : next;
}

function merge(sums: CheckpointFacts, facts: EntryFacts): CheckpointFacts {
  const counted = { ...sums, entries: sums.entries + 1 };
  switch (facts.type) {
    case "checkpoint":
      return { ...facts, entries: sums.entries + facts.entries };
    case "cycle_started":
      return {
        ...counted,
        cycleStartsAtMs: facts.startsAtMs,
        startAllowanceMicros: facts.allowanceMicros,
        allowanceMicros: facts.allowanceMicros,
      };
    case "plan_changed":
      return { ...counted, allowanceMicros: facts.allowanceMicros };
    case "cap_changed":
      return { ...counted, capMicros: facts.toMicros };
    case "grant_added":
      return { ...counted, grantedMicros: sums.grantedMicros + facts.amountMicros };
    case "grant_expired":
      return { ...counted, expiredMicros: sums.expiredMicros + facts.amountMicros };
    case "grant_voided":
      return { ...counted, voidedMicros: sums.voidedMicros + facts.amountMicros };
    default:
      return counted;
  }
}
