// Records which reports the agents of one enterprise sent and which were answered. After a crash each receipt is compared
// with it: it must show a report that was sent, not older than the last answered one, and cost exactly what that report
// costs. A charge made twice would cost more, a lost one less.
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { expectedChargeMicros, resolveModel, type TokenTotals } from "../../tools/kit/expected-cost.ts";

export interface Report {
  run: string;
  model: string;
  usage: TokenTotals;
  final: boolean;
}

/** The fields of a receipt's meter that are checked. */
export interface ReceiptMeter {
  model: string;
  usage: Report["usage"];
  charged_micros: number;
  final: boolean;
}

/** What is wrong after a crash, in words. */
export interface Violation {
  kind: "lost" | "doubled" | "wrong";
  what: string;
}

/** The reports of one run, which has one meter. */
interface RunReports {
  reports: Report[];
  /** The index of the last answered report, or -1. */
  answered: number;
  chargedMicros: bigint;
}

export class SentReports {
  /** How many reports were answered, including repeated ones. */
  acknowledged = 0;
  readonly #runs = new Map<string, RunReports>();
  /** Runs that reported since they were last checked. */
  readonly #unchecked = new Set<string>();

  add(report: Report): void {
    const sent = this.#runs.get(report.run) ?? { reports: [], answered: -1, chargedMicros: 0n };
    if (sent.reports.at(-1) !== report) sent.reports.push(report);
    this.#runs.set(report.run, sent);
    this.#unchecked.add(report.run);
  }

  acknowledge(report: Report): void {
    const sent = this.#of(report.run);
    this.acknowledged += 1;
    sent.answered = sent.reports.indexOf(report);
  }

  /** The runs to check. */
  get unchecked(): string[] {
    return [...this.#unchecked];
  }

  /** The charges of all runs when they were last checked. */
  get chargedMicros(): bigint {
    return [...this.#runs.values()].reduce((sum, { chargedMicros }) => sum + chargedMicros, 0n);
  }

  get allFinal(): boolean {
    return [...this.#runs.values()].every(({ reports, answered }) => reports[answered]?.final === true);
  }

  /** Checks a run's meter, which is null if the ledger does not know the run. Returns what is wrong, or null. */
  check(run: string, meter: ReceiptMeter | null, book: PriceBook): Violation | null {
    const sent = this.#of(run);
    const { reports, answered } = sent;
    this.#unchecked.delete(run);
    if (meter === null) return answered === -1 ? null : lost(run, answered, "nothing");
    const found = reports.findIndex(({ usage, final }) => final === meter.final && sameUsage(usage, meter.usage));
    if (found === -1)
      return { kind: "wrong", what: `${run} shows totals that were never sent: ${JSON.stringify(meter)}` };
    if (found < answered) return lost(run, answered, `report ${found + 1}`);
    const price = resolveModel(book, meter.model);
    if (price === undefined) return { kind: "wrong", what: `${run} shows a model without a price: ${meter.model}` };
    const cost = expectedChargeMicros(meter.usage, price, "credits", book);
    sent.chargedMicros = BigInt(meter.charged_micros);
    if (sent.chargedMicros === cost) return null;
    const kind = sent.chargedMicros > cost ? "doubled" : "lost";
    return { kind, what: `${run} is charged ${meter.charged_micros}, its totals cost ${cost}` };
  }

  #of(run: string): RunReports {
    const sent = this.#runs.get(run);
    if (sent === undefined) throw new Error(`${run} was never sent`);
    return sent;
  }
}

function lost(run: string, answered: number, shown: string): Violation {
  return { kind: "lost", what: `${run} shows ${shown}, but report ${answered + 1} was answered` };
}

function sameUsage(a: Report["usage"], b: Report["usage"]): boolean {
  return (Object.keys(a) as (keyof Report["usage"])[]).every((kind) => a[kind] === b[kind]);
}
