/**
 * One run's use of one model, as this side knows it: the totals to report, and how far the ledger has answered. Totals
 * are kept in parts, one for what was stated and one for each model call under way, so that two names of one model
 * can be joined without counting anything twice. Losing all of this loses nothing that the caller has kept.
 */
import { NOTHING, sumOf, type Totals } from "./totals.ts";
import type { ItemRefusal } from "./wire.ts";

export class Meter<Run = unknown> {
  readonly run: Run;
  /** The name it is reported under; the canonical one, once an answer has said it. */
  model: string;
  final = false;
  /** Rises with every change; what was answered is up to `ackedVersion`. */
  version = 0;
  ackedVersion = 0;
  /** What its totals weigh, and what those weigh that were answered. */
  weight = 0;
  ackedWeight = 0;
  sentAtMs = Number.NEGATIVE_INFINITY;
  refused: ItemRefusal | null = null;
  /** By "key name": `=` for what was stated, `+` for calls that have ended, a number for each call under way. */
  readonly #parts = new Map<string, Totals>();

  constructor(run: Run, model: string) {
    this.run = run;
    this.model = model;
  }

  get totals(): Totals {
    return sumOf(this.#parts.values());
  }

  get settled(): boolean {
    return this.refused !== null || this.ackedVersion === this.version;
  }

  part(key: string, name: string): Totals | undefined {
    return this.#parts.get(`${key} ${name}`);
  }

  setPart(key: string, name: string, totals: Totals): void {
    this.#parts.set(`${key} ${name}`, totals);
  }

  /** A call under way becomes one that has ended. */
  endPart(key: string, name: string): void {
    const part = this.part(key, name);
    if (part === undefined) return;
    this.#parts.delete(`${key} ${name}`);
    this.setPart("+", name, sumOf([this.part("+", name) ?? NOTHING, part]));
  }

  /** Takes over another meter that has turned out to be the same model under another name. */
  absorb(other: Meter): void {
    for (const [key, totals] of other.#parts) this.#parts.set(key, sumOf([this.#parts.get(key) ?? NOTHING, totals]));
    this.final ||= other.final;
  }

  /** The totals by the name that the caller used. */
  *byName(): Iterable<[string, Totals]> {
    for (const [key, totals] of this.#parts) yield [key.slice(key.indexOf(" ") + 1), totals];
  }
}
