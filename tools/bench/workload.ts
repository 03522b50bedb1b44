// What the agents of the bench send: runs that report running totals ten times, the last time as final, as a stream
// does that is metered about once a second. Every sender keeps to runs of its own and sends their reports in order.
// The same bytes go to every system that is measured.

const REPORTS_PER_RUN = 10;
const WORKSPACES = 40;
const USERS = 200;
const MODELS = ["claude-sonnet-4-5", "gpt-5", "gemini-2.5-pro"];

/** An endless stream of reports as JSON texts; each is the next report of one of `width` runs, in turn. */
export class Reporter {
  readonly #startedAt = new Date().toISOString();
  readonly #name: string;
  readonly #width: number;
  /** How many reports of each lane were sent. */
  readonly #reports: number[];
  #turn = 0;

  /**
   * @param name begins the ids of the runs; no two reporters share it
   * @param width how many runs are under way at a time
   */
  constructor(name: string, width: number) {
    this.#name = name;
    this.#width = width;
    // Runs are at different places, so that any stretch of the stream holds first, middle and final reports.
    this.#reports = Array.from({ length: width }, (_, lane) => Math.floor((lane * REPORTS_PER_RUN) / width));
  }

  next(): string {
    const lane = this.#turn++ % this.#width;
    const sent = this.#reports[lane] as number;
    this.#reports[lane] = sent + 1;
    const step = (sent % REPORTS_PER_RUN) + 1;
    const number = Math.floor(sent / REPORTS_PER_RUN) * this.#width + lane;
    const model = MODELS[number % MODELS.length];
    const place = `"surface":"${number % 3 === 0 ? "web" : "cli"}","workspace":"ws-${number % WORKSPACES}","user":"user-${number % USERS}"`;
    const usage = `"input_tokens":${900 + 37 * step},"output_tokens":${61 * step},"cache_read_tokens":${1200 * step}`;
    const final = step === REPORTS_PER_RUN ? `,"final":true` : "";
    return `{"run":"${this.#name}-${number}","model":"${model}","usage":{${usage}},${place},"started_at":"${this.#startedAt}"${final}}`;
  }

  /** A batch as the body of one request. */
  nextBatch(size: number): string {
    return `{"reports":[${Array.from({ length: size }, () => this.next()).join(",")}]}`;
  }
}

/** One HTTP/1.1 request as the bytes that go over the wire. */
export function requestBytes(method: string, path: string, headers: Record<string, string>, body = ""): Buffer {
  const content = body === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const lines = Object.entries({ host: "bench.local", ...headers, ...content }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
}

export function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}
