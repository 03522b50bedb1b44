// What an agent does: one run after another, each a meter whose totals grow to a final report. A lane has at most one
// report on its way; one that was not answered is sent again, and once in a while so is one that was.

import { type Random, wholeBetween } from "../../tools/kit/random.ts";
import type { TokenTotals } from "../../tools/replay/trace.ts";
import type { Evidence } from "./evidence.ts";

export interface Report {
  run: string;
  model: string;
  usage: TokenTotals;
  final: boolean;
}

const MODELS = ["claude-sonnet-4-5", "gpt-5", "gemini-2.5-pro"];
const MOST_REPORTS = 20;
const REPEATED = 0.08;

export class Lane {
  readonly #random: Random;
  readonly #evidence: Evidence;
  readonly #name: string;
  readonly #startedAt = new Date().toISOString();
  #runs = 0;
  #left = 0;
  #last: Report | null = null;
  #answered = true;

  /** @param name begins the ids of its runs; no two lanes share it */
  constructor(name: string, random: Random, evidence: Evidence) {
    this.#name = name;
    this.#random = random;
    this.#evidence = evidence;
  }

  /** What is sent next, as JSON. */
  next(): string {
    const repeats = this.#last !== null && (!this.#answered || this.#random() < REPEATED);
    return this.#send(repeats ? (this.#last as Report) : this.#grown(false));
  }

  /** The final report of the run under way; null when there is none. */
  last(): string | null {
    if (this.#last?.final === true) return this.#answered ? null : this.#send(this.#last);
    return this.#last === null ? null : this.#send(this.#grown(true));
  }

  answered(): void {
    this.#answered = true;
    this.#evidence.acknowledge(this.#last as Report);
  }

  #send(report: Report): string {
    this.#last = report;
    this.#answered = false;
    this.#evidence.send(report);
    const place = { surface: "cli", workspace: `ws-${this.#runs % 9}`, user: `user-${this.#runs % 17}` };
    return JSON.stringify({ ...report, ...place, started_at: this.#startedAt });
  }

  #grown(final: boolean): Report {
    const before = this.#last;
    if (before === null || before.final) return this.#begun();
    this.#left -= 1;
    return { ...before, usage: this.#grow(before.usage), final: final || this.#left <= 0 };
  }

  #begun(): Report {
    this.#runs += 1;
    this.#left = wholeBetween(this.#random, 1, MOST_REPORTS);
    const usage = { input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 };
    const model = MODELS[wholeBetween(this.#random, 0, MODELS.length - 1)] as string;
    return { run: `${this.#name}-${this.#runs}`, model, usage: this.#grow(usage), final: false };
  }

  #grow(usage: TokenTotals): TokenTotals {
    const more = (most: number) => wholeBetween(this.#random, 1, most);
    return {
      input_tokens: usage.input_tokens + more(900),
      output_tokens: usage.output_tokens + more(400),
      cache_read_tokens: usage.cache_read_tokens + more(2_000),
      cache_write_tokens: usage.cache_write_tokens + more(100),
    };
  }
}
