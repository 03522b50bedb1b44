/**
 * The client's record of one run's use of one model at one price tier: the totals to report, and the last version of them
 * that the ledger has acknowledged. Totals are stored in parts: one for `report`, and one for each model call in progress.
 * So two names of one model can be merged without counting anything twice. A meter exists only in memory. A caller that
 * saves `run.totals` loses nothing.
 */
import { sumOf, type Totals, ZERO_TOTALS } from "./totals.ts";
import type { ItemRefusal } from "./wire.ts";

export class Meter<Run = unknown> {
  readonly run: Run;
  /** The model name in reports: first the caller's name, then the canonical name once a response states it. */
  model: string;
  /** The price tier; null while it depends on thresholds that the client does not know yet. */
  readonly tier: string | null;
  final = false;
  /** Whether a part of the totals is an estimate. */
  estimated = false;
  /** False once the ledger has accepted the totals without having a price for them. */
  priced = true;
  /** Increases with every change. The ledger has acknowledged the versions up to `ackedVersion`. */
  version = 0;
  ackedVersion = 0;
  /** The weight of all totals, and of the totals that the ledger has acknowledged. */
  weight = 0;
  ackedWeight = 0;
  sentAtMs = Number.NEGATIVE_INFINITY;
  /** When to ask again for the model's thresholds, after the ledger did not state them. */
  askAtMs = Number.NEGATIVE_INFINITY;
  refused: ItemRefusal | null = null;
  /** By "key name". The key is `=` for `report`, `+` for the sum of ended calls, or the number of a call in progress. */
  readonly #parts = new Map<string, Totals>();

  constructor(run: Run, model: string, tier: string | null) {
    this.run = run;
    this.model = model;
    this.tier = tier;
  }

  get totals(): Totals {
    return sumOf(this.#parts.values());
  }

  get settled(): boolean {
    return this.refused !== null || this.ackedVersion === this.version;
  }

  /** Whether the meter counts nothing and the ledger does not know it. */
  get unused(): boolean {
    return this.#parts.size === 0 && this.sentAtMs === Number.NEGATIVE_INFINITY;
  }

  part(key: string, name: string): Totals | undefined {
    return this.#parts.get(`${key} ${name}`);
  }

  setPart(key: string, name: string, totals: Totals): void {
    this.#parts.set(`${key} ${name}`, totals);
  }

  removePart(key: string, name: string): boolean {
    return this.#parts.delete(`${key} ${name}`);
  }

  /** Adds the totals of a call in progress to those of ended calls. */
  endPart(key: string, name: string): void {
    const part = this.part(key, name);
    if (part === undefined) return;
    this.removePart(key, name);
    this.setPart("+", name, sumOf([this.part("+", name) ?? ZERO_TOTALS, part]));
  }

  /** Adds the totals of another meter, which turned out to be the same model under another name. */
  absorb(other: Meter): void {
    for (const [key, totals] of other.#parts)
      this.#parts.set(key, sumOf([this.#parts.get(key) ?? ZERO_TOTALS, totals]));
    this.final ||= other.final;
    this.estimated ||= other.estimated;
  }

  /** Yields each part's totals, with the name that the caller used for the model. */
  *byName(): Iterable<[string, Totals]> {
    for (const [key, totals] of this.#parts) yield [key.slice(key.indexOf(" ") + 1), totals];
  }
}
