// What the agents of one enterprise have sent, and what they were told to be there. After a crash each receipt is held
// against it: it must show one of the reports that were sent, none older than the last one that was answered, and cost
// what that one costs, to the micro. A charge that was made twice would cost more; one that was lost, less.
import { expectedChargeMicros, type PriceBook, resolveModel } from "../../tools/kit/expected-cost.ts";
import type { Report } from "./lanes.ts";

/** A meter of a receipt, as far as it is looked at. */
export interface ShownMeter {
  model: string;
  usage: Report["usage"];
  charged_micros: number;
  final: boolean;
}

/** What a crash has done to the books, in words. */
export interface Fault {
  kind: "lost" | "doubled" | "wrong";
  what: string;
}

/** What is known of one run; each has one meter. */
interface Sent {
  reports: Report[];
  /** The place of the last report that was answered; -1 when none was. */
  answered: number;
  chargedMicros: bigint;
}

export class Evidence {
  /** How many reports were answered, repeated ones too. */
  acknowledged = 0;
  readonly #runs = new Map<string, Sent>();
  /** Runs of which something was sent since they were last looked at. */
  readonly #touched = new Set<string>();

  send(report: Report): void {
    const sent = this.#runs.get(report.run) ?? { reports: [], answered: -1, chargedMicros: 0n };
    if (sent.reports.at(-1) !== report) sent.reports.push(report);
    this.#runs.set(report.run, sent);
    this.#touched.add(report.run);
  }

  acknowledge(report: Report): void {
    const sent = this.#of(report.run);
    this.acknowledged += 1;
    sent.answered = sent.reports.indexOf(report);
  }

  /** The runs to look at. */
  get touched(): string[] {
    return [...this.#touched];
  }

  /** What all runs were charged, as they were last looked at. */
  get chargedMicros(): bigint {
    return [...this.#runs.values()].reduce((sum, { chargedMicros }) => sum + chargedMicros, 0n);
  }

  get allFinal(): boolean {
    return [...this.#runs.values()].every(({ reports, answered }) => reports[answered]?.final === true);
  }

  /** Looks at a run's meter; null when the ledger does not know the run. What is wrong with it, or null. */
  look(run: string, meter: ShownMeter | null, book: PriceBook): Fault | null {
    const sent = this.#of(run);
    const { reports, answered } = sent;
    this.#touched.delete(run);
    if (meter === null) return answered === -1 ? null : lost(run, answered, "nothing");
    const found = reports.findIndex(({ usage, final }) => final === meter.final && sameUsage(usage, meter.usage));
    if (found === -1) return { kind: "wrong", what: `${run} shows what nobody sent: ${JSON.stringify(meter)}` };
    if (found < answered) return lost(run, answered, `report ${found + 1}`);
    const price = resolveModel(book, meter.model);
    if (price === undefined) return { kind: "wrong", what: `${run} shows a model without a price: ${meter.model}` };
    const cost = expectedChargeMicros(meter.usage, price, "credits", book);
    sent.chargedMicros = BigInt(meter.charged_micros);
    if (sent.chargedMicros === cost) return null;
    const kind = sent.chargedMicros > cost ? "doubled" : "lost";
    return { kind, what: `${run} is charged ${meter.charged_micros}, its totals cost ${cost}` };
  }

  #of(run: string): Sent {
    const sent = this.#runs.get(run);
    if (sent === undefined) throw new Error(`nobody sent ${run}`);
    return sent;
  }
}

function lost(run: string, answered: number, shown: string): Fault {
  return { kind: "lost", what: `${run} shows ${shown}, but report ${answered + 1} was answered` };
}

function sameUsage(a: Report["usage"], b: Report["usage"]): boolean {
  return (Object.keys(a) as (keyof Report["usage"])[]).every((kind) => a[kind] === b[kind]);
}
