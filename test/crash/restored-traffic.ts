// What goes on while an enterprise is restored and the process is killed: agents report running totals, and others try to
// use what was revoked, signed out or erased. No answer may show that a restore had brought any of it back.
import { setTimeout as sleep } from "node:timers/promises";
import type { Runtime } from "../../tools/workerd/runtime.ts";

/** A token of output of gpt-5 costs this much. */
export const MICROS_PER_TOKEN = 1_000;
const PAUSE_MS = 15;
const AGENTS = 4;
const RUNS_PER_AGENT = 25;

type Ended = { revokedKey: string; signedOutCookie: string; erased: string };

export class RestoredTraffic {
  readonly #runtime: Runtime;
  readonly #path: string;
  readonly #key: string;
  readonly #ended: Ended;
  #stopped = false;
  #lastSeq = 0;
  /** The tokens that each run has reported, whether or not an answer came. */
  readonly tokens = new Map<string, number>();
  readonly wrong: string[] = [];
  /** How many answers had each status. */
  readonly answers: Record<string, number> = {};

  /** @param key a key for `debit` and `read` that is valid before and after the restore */
  constructor(runtime: Runtime, path: string, key: string, ended: Ended) {
    this.#runtime = runtime;
    this.#path = path;
    this.#key = key;
    this.#ended = ended;
  }

  /** Everybody works until `stop` is called. A server that is gone is tried again. */
  async work(): Promise<void> {
    this.#stopped = false;
    await Promise.all([
      ...Array.from({ length: AGENTS }, (_, agent) => this.#repeat((i) => this.#report(agent, i))),
      this.#repeat(() => this.#expectRefused("a revoked key", { authorization: `Bearer ${this.#ended.revokedKey}` })),
      this.#repeat(() => this.#expectRefused("a session that was signed out", { cookie: this.#ended.signedOutCookie })),
      this.#repeat(() => this.#readGauge()),
      this.#repeat((i) => this.#readRows(i)),
    ]);
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Reports the totals of all runs until every report is answered. Returns what all runs cost. */
  async reportAll(): Promise<number> {
    const reports = [...this.tokens].map(([run, tokens]) => reportOf(run, tokens));
    const { results } = (await this.#runtime.call("POST", `${this.#path}/debits`, { reports })) as {
      results: { code?: string }[];
    };
    for (const { code } of results) if (code !== undefined) this.wrong.push(`a report was refused: ${code}`);
    return [...this.tokens.values()].reduce((sum, tokens) => sum + tokens * MICROS_PER_TOKEN, 0);
  }

  async #repeat(act: (i: number) => Promise<void>): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      await act(i);
      await sleep(PAUSE_MS);
    }
  }

  async #report(agent: number, i: number): Promise<void> {
    const run = `run-${agent}-${i % RUNS_PER_AGENT}`;
    const tokens = (this.tokens.get(run) ?? 0) + 1;
    this.tokens.set(run, tokens);
    const response = await this.#fetch("debits", { authorization: `Bearer ${this.#key}` }, reportOf(run, tokens));
    if (response !== null && ![200, 503].includes(response.status)) {
      this.wrong.push(`a report: ${response.status} ${response.text}`);
    }
  }

  async #expectRefused(who: string, headers: Record<string, string>): Promise<void> {
    const response = await this.#fetch("gauge", headers);
    if (response !== null && ![401, 503].includes(response.status)) {
      this.wrong.push(`${who}: ${response.status} ${response.text}`);
    }
  }

  async #readGauge(): Promise<void> {
    const response = await this.#fetch("gauge", { authorization: `Bearer ${this.#key}` });
    if (response === null || response.status === 503) return;
    if (response.status !== 200) return void this.wrong.push(`the gauge: ${response.status} ${response.text}`);
    const { seq } = JSON.parse(response.text) as { seq: number };
    if (seq < this.#lastSeq) this.wrong.push(`seq fell from ${this.#lastSeq} to ${seq}`);
    this.#lastSeq = seq;
  }

  async #readRows(i: number): Promise<void> {
    const route = i % 2 === 0 ? "runs?limit=100" : "usage/top/users";
    const response = await this.#fetch(route, { authorization: `Bearer ${this.#key}` });
    if (response === null || response.status === 503) return;
    if (response.status !== 200) this.wrong.push(`${route}: ${response.status} ${response.text}`);
    if (response.text.includes(this.#ended.erased)) this.wrong.push(`${route} names the person who was erased`);
  }

  /** Returns null if the server is gone. */
  async #fetch(route: string, headers: Record<string, string>, body?: unknown) {
    const url = `http://127.0.0.1:${this.#runtime.port}${this.#path}/${route}`;
    const sent =
      body === undefined
        ? { headers }
        : { method: "POST", headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) };
    try {
      const response = await fetch(url, { ...sent, signal: AbortSignal.timeout(10_000) });
      this.answers[response.status] = (this.answers[response.status] ?? 0) + 1;
      return { status: response.status, text: await response.text() };
    } catch {
      return null;
    }
  }
}

function reportOf(run: string, tokens: number): Record<string, unknown> {
  return {
    ...{ run, model: "gpt-5", usage: { input_tokens: 0, output_tokens: tokens } },
    ...{ surface: "cli", workspace: "w1", user: "bob", started_at: STARTED_AT },
  };
}

/** Fixed for the whole test, because it is a part of the run's first report. */
const STARTED_AT = new Date().toISOString();
