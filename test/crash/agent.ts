// An agent reports one run after another, each with one meter whose totals grow until a final report. It has at most one
// report in flight. It repeats a report that was not answered, and sometimes one that was.
import type { TokenTotals } from "../../tools/kit/expected-cost.ts";
import { type Random, wholeBetween } from "../../tools/kit/random.ts";
import type { Report, SentReports } from "./sent-reports.ts";

const MODELS = ["claude-sonnet-4-5", "gpt-5", "gemini-2.5-pro"];
const MAX_REPORTS = 20;
const REPEAT_RATIO = 0.08;

export class Agent {
  readonly #random: Random;
  readonly #sent: SentReports;
  readonly #name: string;
  readonly #startedAt = new Date().toISOString();
  #runs = 0;
  #reportsLeft = 0;
  #last: Report | null = null;
  #lastAnswered = true;

  /** @param name the prefix of its run ids, unique among all agents */
  constructor(name: string, random: Random, sent: SentReports) {
    this.#name = name;
    this.#random = random;
    this.#sent = sent;
  }

  /** The next report, as JSON. */
  nextReport(): string {
    const repeats = this.#last !== null && (!this.#lastAnswered || this.#random() < REPEAT_RATIO);
    return this.#send(repeats ? (this.#last as Report) : this.#laterReport(false));
  }

  /** The final report of the current run; null if its final report was answered, or no run was started. */
  finalReport(): string | null {
    if (this.#last?.final === true) return this.#lastAnswered ? null : this.#send(this.#last);
    return this.#last === null ? null : this.#send(this.#laterReport(true));
  }

  answered(): void {
    this.#lastAnswered = true;
    this.#sent.acknowledge(this.#last as Report);
  }

  #send(report: Report): string {
    this.#last = report;
    this.#lastAnswered = false;
    this.#sent.add(report);
    const attribution = { surface: "cli", workspace: `ws-${this.#runs % 9}`, user: `user-${this.#runs % 17}` };
    return JSON.stringify({ ...report, ...attribution, started_at: this.#startedAt });
  }

  #laterReport(final: boolean): Report {
    const before = this.#last;
    if (before === null || before.final) return this.#firstReport();
    this.#reportsLeft -= 1;
    return { ...before, usage: this.#grow(before.usage), final: final || this.#reportsLeft <= 0 };
  }

  #firstReport(): Report {
    this.#runs += 1;
    this.#reportsLeft = wholeBetween(this.#random, 1, MAX_REPORTS);
    const usage = { input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 };
    const model = MODELS[wholeBetween(this.#random, 0, MODELS.length - 1)] as string;
    return { run: `${this.#name}-${this.#runs}`, model, usage: this.#grow(usage), final: false };
  }

  #grow(usage: TokenTotals): TokenTotals {
    const more = (max: number) => wholeBetween(this.#random, 1, max);
    return {
      input_tokens: usage.input_tokens + more(900),
      output_tokens: usage.output_tokens + more(400),
      cache_read_tokens: usage.cache_read_tokens + more(2_000),
      cache_write_tokens: usage.cache_write_tokens + more(100),
    };
  }
}
