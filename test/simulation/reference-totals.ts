/**
 * What the copy must contain, summed debit by debit: charges by local hour and day with surface, and by cycle with
 * workspace, group and user. Nothing is folded or batched here.
 */
import { localDayStart, localHourStart } from "./local-time.ts";
import type { ReferenceRun, ReferenceUnit } from "./reference-meter.ts";
import type { ReferenceCycle } from "./reference-money.ts";

type Charged = {
  unit: ReferenceUnit;
  micros: number;
  /** The part that counts in the running cycle. */
  ofCycle: number;
  /** True for the first report of a run. */
  first: boolean;
  cycle: ReferenceCycle;
  nowMs: number;
};

type CycleSum = { requests: number; micros: number };

export class ReferenceTotals {
  /** By `hour|day unit starts_at surface`. */
  readonly time = new Map<string, number>();
  /** By `unit cycle dimension id`. */
  readonly cycle = new Map<string, CycleSum>();

  add(run: ReferenceRun, { unit, micros, ofCycle, first, cycle, nowMs }: Charged): void {
    const starts = { hour: localHourStart(nowMs, cycle.zone), day: localDayStart(nowMs, cycle.zone) };
    for (const [span, startMs] of Object.entries(starts)) {
      const key = `${span} ${unit} ${startMs} ${run.surface}`;
      this.time.set(key, (this.time.get(key) ?? 0) + micros);
    }
    const dimensions = { all: "", workspace: run.workspace, group: run.group ?? "none", user: run.user };
    for (const [dimension, id] of Object.entries(dimensions)) {
      const key = `${unit} ${cycle.startsMs} ${dimension} ${id}`;
      const sum = this.cycle.get(key) ?? { requests: 0, micros: 0 };
      this.cycle.set(key, { requests: sum.requests + Number(first), micros: sum.micros + ofCycle });
    }
  }
}
