/**
 * What each commit leaves for the copy: an item for every debit that changed a meter and every change of a hold, with
 * its seq. Items are folded into totals and dropped once the copy has them. Short keys: they are written per debit.
 */
import { NO_GROUP, type Run, type Surface } from "../../ledger/books.ts";
import type { Debit } from "../../ledger/debit.ts";
import type { Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";

export type OutboxItem = {
  /** Its seq. */
  n: number;
  run: string;
  /** Null for a change of a hold, which moves no total. */
  debit: OutboxDebit | null;
};

export type OutboxDebit = {
  unit: Unit;
  /** What was charged; negative for a refund. */
  micros: number;
  /** The part that counts in the cycle. */
  cycleMicros: number;
  cycleMs: AtMs;
  /** 1 for the first report of a run. */
  requests: 0 | 1;
  surface: Surface;
  workspace: string;
  group: string;
  user: string;
};

export type OutboxRow = { lastSeq: number; atMs: AtMs; timeZone: string; items: OutboxItem[] };

export function debitItem(debit: Debit): OutboxItem {
  const { run, meter, books } = debit;
  return {
    n: books.seq,
    run: run.run,
    debit: {
      unit: meter.unit,
      micros: debit.chargedMicros,
      cycleMicros: debit.cycleMicros,
      cycleMs: books.cycle.startsAtMs,
      requests: debit.firstOfRun ? 1 : 0,
      surface: run.surface,
      workspace: run.workspace,
      group: run.group ?? NO_GROUP,
      user: run.user,
    },
  };
}

export function holdItem(run: Run, seq: number): OutboxItem {
  return { n: seq, run: run.run, debit: null };
}
