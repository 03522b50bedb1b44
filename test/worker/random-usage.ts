/**
 * Random usage of one enterprise over three billing cycles, sent through the HTTP interface, and a reference that keeps
 * every debit by itself. The reference uses only what the debits answered.
 */
import { env } from "cloudflare:workers";
import { type Enterprise, newEnterprise, operator, projectNow } from "./api.ts";

export const RUNS = Number((env as unknown as { CUBE_RUNS: string }).CUBE_RUNS);
/** A new meter of a run that started 35 days ago is refused. */
const OLD_MS = 34 * 86_400_000;
const MAX_BATCH = 200;
/** The cycles of an enterprise in Berlin with anchor day 15. */
export const CYCLES = ["2025-12-14T23:00:00.000Z", "2026-01-14T23:00:00.000Z", "2026-02-14T23:00:00.000Z"] as const;
const FIRST_MS = Date.parse("2026-01-05T08:00:00Z");
const LAST_MS = Date.parse("2026-03-10T20:00:00Z");
const MODELS = ["gpt-5", "claude-sonnet-4-6", "claude-haiku-4-5"];
export const KIND_FIELDS = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"] as const;
export const FILTER_VALUES = {
  workspace: ["w0", "w1", "w2", "w3", "w4", "w5", "w6"],
  group: ["g0", "g1", "none"],
  user: ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"],
  model: MODELS,
  surface: ["web", "cli"],
} as const;

type Attributes = { workspace: string; group: string; user: string; model: string; surface: string };
type Filter = keyof typeof FILTER_VALUES;
export type Selection = { [filter in Filter]?: string };

/** One debit, as the reference keeps it. */
export type Debit = Attributes & {
  run: string;
  atMs: number;
  cycle: string;
  charged: number;
  /** The part that counts in the cycle: a refund of an earlier cycle's charge does not. */
  ofCycle: number;
  grown: number[];
  firstOfRun: boolean;
  firstOfModel: boolean;
};

type Meter = { totals: number[]; charges: { cycle: string; micros: number }[] };

/** Every filter alone. */
export const SINGLE_FILTERS: Selection[] = Object.entries(FILTER_VALUES).flatMap(([filter, values]) =>
  values.map((value) => ({ [filter]: value })),
);

/** Random combinations of filters from a seed. */
export function randomSelections(seed: number, count: number): Selection[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => {
    const filters = (Object.keys(FILTER_VALUES) as Filter[]).filter(() => random() < 0.5);
    return Object.fromEntries(
      filters.map((filter) => {
        const values = FILTER_VALUES[filter];
        return [filter, values[Math.floor(random() * values.length)]];
      }),
    );
  });
}

/** Pseudo-random numbers below 1 from a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class RandomUsage {
  readonly debits: Debit[] = [];
  readonly #runs = new Map<string, Omit<Attributes, "model"> & { startedMs: number }>();
  readonly #meters = new Map<string, Meter>();
  readonly #random: () => number;
  #nowMs = FIRST_MS;

  constructor(
    readonly enterprise: Enterprise,
    seed: number,
  ) {
    this.#random = randomFrom(seed);
  }

  static async create(seed: number): Promise<RandomUsage> {
    const e = await newEnterprise({
      time_zone: "Europe/Berlin",
      anchor_day: 15,
      plan: "team",
      test_clock: new Date(FIRST_MS).toISOString(),
    });
    await operator("PUT", `${e.path}/directory`, {
      workspaces: FILTER_VALUES.workspace.map((id, i) => ({
        id,
        name: `Shop ${9 - i}`,
        ...(i % 3 === 2 ? {} : { group_id: `g${i % 3}` }),
      })),
      users: [
        { id: "u1", name: "Ada" },
        { id: "u2", name: "Élan" },
      ],
    });
    return new RandomUsage(e, seed);
  }

  pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)] as T;
  }

  /** Sends all usage, in steps of the test clock. Each run starts at some step, and reports again at later ones. */
  async send(steps = 40): Promise<void> {
    for (let step = 0; step < steps; step++) {
      const share = (step + 1) / steps;
      await this.moveTo(FIRST_MS + Math.floor((LAST_MS - FIRST_MS) * share) - Math.floor(this.#random() * 3_600_000));
      const fresh = Math.ceil(RUNS * share) - this.#runs.size;
      await this.report(Array.from({ length: fresh }, () => this.#start()));
      await this.reportAgain(Math.ceil(fresh / 2));
    }
    await this.settle();
  }

  /** Waits until the copy has everything. On a slow machine, the projection pauses between two batches. */
  async settle(): Promise<void> {
    for (let i = 0; i < 1_000; i++) {
      await projectNow(this.enterprise.id);
      const [{ used_micros }, { total_micros }] = await Promise.all([
        this.enterprise.gauge(),
        this.enterprise.get("usage/top/users"),
      ]);
      if (used_micros === total_micros) return;
      await scheduler.wait(100);
    }
    throw new Error("the copy stays behind");
  }

  async moveTo(ms: number): Promise<void> {
    this.#nowMs = Math.max(this.#nowMs, ms);
    await this.enterprise.moveTo(new Date(this.#nowMs).toISOString());
  }

  /** Reports each of these runs once, with larger totals, or with a final report that may be lower. */
  async report(runs: readonly string[]): Promise<void> {
    for (let i = 0; i < runs.length; i += MAX_BATCH) await this.#reportBatch(runs.slice(i, i + MAX_BATCH));
  }

  /** Reports this many times for runs that are not too old. */
  async reportAgain(times: number): Promise<void> {
    const known = [...this.#runs].flatMap(([run, { startedMs }]) => (startedMs > this.#nowMs - OLD_MS ? [run] : []));
    await this.report(Array.from({ length: times }, () => this.pick(known)));
  }

  startOf(run: string): number {
    return this.#run(run).startedMs;
  }

  #start(): string {
    const run = `r${this.#runs.size}`;
    const workspace = this.pick(FILTER_VALUES.workspace);
    const place = FILTER_VALUES.workspace.indexOf(workspace) % 3;
    this.#runs.set(run, {
      workspace,
      group: place === 2 ? "none" : `g${place}`,
      user: this.pick(FILTER_VALUES.user),
      surface: this.pick(FILTER_VALUES.surface),
      startedMs: this.#nowMs - Math.floor(this.#random() * 3_600_000),
    });
    return run;
  }

  async #reportBatch(runs: readonly string[]): Promise<void> {
    const sent = runs.map((run) => {
      const { group: _, startedMs, ...attributes } = this.#run(run);
      const model = this.pick(MODELS);
      const known = this.#meters.get(`${run} ${model}`)?.totals ?? [0, 0, 0, 0];
      const final = known.some((total) => total > 0) && this.#random() < 0.3;
      const totals = known.map((total) =>
        final && this.#random() < 0.7 ? Math.floor(total * this.#random()) : total + Math.floor(this.#random() * 2_000),
      );
      return { run, model, totals, body: { ...attributes, started_at: new Date(startedMs).toISOString(), final } };
    });
    const reports = sent.map(({ run, model, totals, body }) => ({
      run,
      model,
      ...body,
      usage: Object.fromEntries(KIND_FIELDS.map((field, i) => [field, totals[i]])),
    }));
    const answer = await this.enterprise.debit({ reports });
    if (answer.status !== 200) throw new Error(answer.text);
    answer.body.results.forEach((result: { charged_micros?: number; code?: string }, i: number) => {
      const { run, model, totals } = sent[i] as (typeof sent)[number];
      if (result.charged_micros === undefined) throw new Error(JSON.stringify(result));
      this.#keep(run, model, totals, result.charged_micros, reports[i]?.final === true);
    });
  }

  readonly #closed = new Set<string>();
  readonly #reported = new Set<string>();

  #keep(run: string, model: string, sent: number[], charged: number, final: boolean): void {
    const key = `${run} ${model}`;
    const known = this.#meters.get(key) ?? { totals: [0, 0, 0, 0], charges: [] };
    // After a final report, only another one counts, and it lowers nothing.
    const closed = this.#closed.has(key);
    const largest = sent.map((total, i) => Math.max(total, known.totals[i] ?? 0));
    const totals = closed ? (final ? largest : known.totals) : final ? sent : largest;
    if (final) this.#closed.add(key);
    const cycle = CYCLES.findLast((start) => Date.parse(start) <= this.#nowMs) as string;
    let ofCycle = charged;
    if (charged > 0) known.charges.push({ cycle, micros: charged });
    if (charged < 0) ofCycle = -refund(known.charges, -charged, cycle);
    const { startedMs: _, ...attributes } = this.#run(run);
    const grown = totals.map((total, i) => total - (known.totals[i] ?? 0));
    const firstOfModel = !this.#meters.has(key);
    const firstOfRun = !this.#reported.has(run);
    this.#reported.add(run);
    // A report that changes nothing adds no row to any table.
    if (firstOfModel || grown.some((quantity) => quantity !== 0)) {
      const at = { atMs: this.#nowMs, cycle };
      this.debits.push({ ...attributes, ...at, run, model, charged, ofCycle, grown, firstOfRun, firstOfModel });
    }
    this.#meters.set(key, { ...known, totals });
  }

  #run(run: string) {
    const known = this.#runs.get(run);
    if (known === undefined) throw new Error(`no run ${run}`);
    return known;
  }

  /** The debits that match the filters. */
  select(selection: Selection): Debit[] {
    const filters = Object.entries(selection) as [Filter, string][];
    return this.debits.filter((debit) => filters.every(([filter, value]) => debit[filter] === value));
  }
}

/** Undoes the most recent charges first. Returns the part that belongs to the cycle. */
function refund(charges: Meter["charges"], micros: number, cycle: string): number {
  let counted = 0;
  for (let left = micros; left > 0; ) {
    const last = charges.at(-1);
    if (last === undefined) throw new Error("the refund passes the charges");
    const part = Math.min(left, last.micros);
    if (last.cycle === cycle) counted += part;
    last.micros -= part;
    left -= part;
    if (last.micros === 0) charges.pop();
  }
  return counted;
}
