/**
 * What the copy must contain, summed debit by debit: charges by local hour and day with surface, and by cycle with
 * workspace, group and user, and by the cells of the usage cube. Nothing is folded or batched here.
 */
import { localDayStart, localHourStart } from "./local-time.ts";
import { type ReferenceRun, type ReferenceUnit, type Tokens, used } from "./reference-meter.ts";
import type { ReferenceCycle } from "./reference-money.ts";

type Charged = {
  model: string;
  tier: string;
  /** What the meter's totals grew by. */
  grown: Tokens;
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
type CellSum = {
  micros: number;
  ofCycle: number;
  requests: number;
  modelRequests: number;
  meterRequests: number;
  grown: Tokens;
};

export class ReferenceTotals {
  /** By `hour|day unit starts_at surface`. */
  readonly time = new Map<string, number>();
  /** By `unit cycle dimension id`. */
  readonly cycle = new Map<string, CycleSum>();
  /** By `day cycle unit workspace group user model tier surface`. */
  readonly cells = new Map<string, CellSum>();
  /** The models and meters that each run has used. */
  readonly seen = new Set<string>();

  /** How many reports were booked. */
  charges = 0;

  add(run: ReferenceRun, charged: Charged): void {
    this.charges += 1;
    const { unit, micros, ofCycle, first, cycle, nowMs } = charged;
    this.#addCell(run, charged);
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

  #addCell(run: ReferenceRun, { unit, model, tier, grown, micros, ofCycle, first, cycle, nowMs }: Charged): void {
    const firstOfModel = !this.seen.has(`${run.run} ${model}`);
    this.seen.add(`${run.run} ${model}`);
    const firstOfMeter = !this.seen.has(`${run.run} ${model} ${tier}`);
    this.seen.add(`${run.run} ${model} ${tier}`);
    if (!firstOfMeter && micros === 0 && Object.values(grown).every((tokens) => tokens === 0)) return;
    const ids = [run.workspace, run.group ?? "none", run.user, model, tier, run.surface].join(" ");
    const key = `${localDayStart(nowMs, cycle.zone)} ${cycle.startsMs} ${unit} ${ids}`;
    const sum = this.cells.get(key) ?? {
      micros: 0,
      ofCycle: 0,
      requests: 0,
      modelRequests: 0,
      meterRequests: 0,
      grown: used(),
    };
    sum.micros += micros;
    sum.ofCycle += ofCycle;
    sum.requests += Number(first);
    sum.modelRequests += Number(firstOfModel);
    sum.meterRequests += Number(firstOfMeter);
    for (const kind of Object.keys(sum.grown) as (keyof Tokens)[]) sum.grown[kind] += grown[kind];
    this.cells.set(key, sum);
  }
}
