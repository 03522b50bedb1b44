// Generates the reports that the benchmark sends. Each run reports its running totals ten times, the last time as final,
// as an agent does that reports about once a second. Each sender has its own runs and sends their reports in order.
// All measured systems get the same requests.

const REPORTS_PER_RUN = 10;
const WORKSPACES = 40;
const USERS = 200;
const MODELS = ["claude-sonnet-4-5", "gpt-5", "gemini-2.5-pro"];

/** An endless sequence of reports as JSON texts, from `width` runs in turn. */
export class Reporter {
  readonly #startedAt = new Date().toISOString();
  readonly #name: string;
  readonly #width: number;
  /** How many reports each of the `width` places has sent. A place starts a new run after its run's final report. */
  readonly #sent: number[];
  #turn = 0;

  /**
   * @param name the prefix of the runs' ids; must be unique
   * @param width how many runs are open at a time
   */
  constructor(name: string, width: number) {
    this.#name = name;
    this.#width = width;
    // Runs start at different steps, so that first, middle and final reports are always mixed.
    this.#sent = Array.from({ length: width }, (_, place) => Math.floor((place * REPORTS_PER_RUN) / width));
  }

  next(): string {
    const place = this.#turn++ % this.#width;
    const sent = this.#sent[place] as number;
    this.#sent[place] = sent + 1;
    const step = (sent % REPORTS_PER_RUN) + 1;
    const number = Math.floor(sent / REPORTS_PER_RUN) * this.#width + place;
    const model = MODELS[number % MODELS.length];
    const attribution = `"surface":"${number % 3 === 0 ? "web" : "cli"}","workspace":"ws-${number % WORKSPACES}","user":"user-${number % USERS}"`;
    const usage = `"input_tokens":${900 + 37 * step},"output_tokens":${61 * step},"cache_read_tokens":${1200 * step}`;
    const final = step === REPORTS_PER_RUN ? `,"final":true` : "";
    return `{"run":"${this.#name}-${number}","model":"${model}","usage":{${usage}},${attribution},"started_at":"${this.#startedAt}"${final}}`;
  }

  /** The next reports as the body of one batch request. */
  nextBatch(size: number): string {
    return `{"reports":[${Array.from({ length: size }, () => this.next()).join(",")}]}`;
  }
}
