// Thousands of agents on a balance for a hundred (invariants H2, H3). With holds exactly those that fit are admitted,
// and nothing is overspent. Without, a run that was admitted is under way: what is overspent is at most what was in
// flight when the balance ran out, one report for each connection. All of it over HTTP, against the built Worker.
import { HttpConnection } from "../../tools/bench/http-load.ts";
import type { Runtime } from "../../tools/bench/runtime.ts";
import { bearer, requestBytes } from "../../tools/bench/workload.ts";
import { type Random, shuffled, wholeBetween } from "../../tools/kit/random.ts";

export interface CrowdPlan {
  agents: number;
  /** For how many of them there is credit. */
  places: number;
  connections: number;
  billingModel: "credits" | "byom";
}

export interface Crowd {
  asked: number;
  admitted: number;
  /** How many the balance had room for; without holds unknown before, and null. */
  room: number | null;
  overspentMicros: number;
  /** What was in flight at most. */
  boundMicros: number;
  faults: string[];
}

type Body = Record<string, unknown> & { code?: string; action?: string };
interface Gauge {
  used_micros: number;
  total_micros: number;
  debt_micros: number;
  held_micros: number;
  available_micros: number;
}

type Rush = { admitted: string[]; room: number };
type Books = { overspentMicros: number; faults: string[] };

/** A thousand output tokens of gpt-5: a credit, or a hundredth of a dollar. */
const MODEL = "gpt-5";
const STEP_TOKENS = 1_000;
const STEP_MICROS = { credits: 1_000_000, byom: 10_000 };
const STEPS = 4;
const LACKS = ["credits_exhausted", "insufficient_credits", "spend_cap_reached"];

export class CrowdedEnterprise {
  readonly #runtime: Runtime;
  readonly #random: Random;
  readonly #plan: CrowdPlan;
  readonly #path: string;
  #key = "";
  #connections: HttpConnection[] = [];
  #runs = 0;

  constructor(runtime: Runtime, name: string, plan: CrowdPlan, random: Random) {
    this.#runtime = runtime;
    this.#random = random;
    this.#plan = plan;
    this.#path = `/v1/enterprises/${name}`;
  }

  /**
   * Everybody asks for a hold at once. Those who got one live on it, while latecomers ask all the time and live on what
   * was given back meanwhile; in the end as many ask again as at first, for what is left.
   */
  async withHolds(): Promise<Crowd[]> {
    await this.#open();
    const first = await this.#rush();
    const holders = new Set(first.admitted);
    const mixed = shuffled(this.#random, [...holders, ...this.#names(this.#plan.agents)]);
    await this.#each(mixed, async (connection, run, i) => {
      if (holders.has(run)) await this.#liveOn(connection, run, i % 4);
      else if ((await this.#ask(connection, run, this.#holdMicros)).admitted === true) {
        await this.#liveOn(connection, run, 0);
      }
    });
    const lived = await this.#lookAtBooks();
    const second = await this.#rush();
    await this.#each(second.admitted, (connection, run) => this.#liveOn(connection, run, 0));
    const ended = await this.#lookAtBooks();
    this.#close();
    return [this.#crowdOf(first, 2 * this.#plan.agents, lived), this.#crowdOf(second, this.#plan.agents, ended)];
  }

  #crowdOf({ admitted, room }: Rush, asked: number, { overspentMicros, faults }: Books): Crowd {
    const fits = admitted.length === room ? [] : [`${admitted.length} were admitted to ${room} places`];
    return { asked, admitted: admitted.length, room, overspentMicros, boundMicros: 0, faults: [...fits, ...faults] };
  }

  /** Nobody holds anything; an agent that is told to stop stops. */
  async withoutHolds(): Promise<Crowd> {
    const { agents, billingModel, connections } = this.#plan;
    await this.#open();
    let admitted = 0;
    await this.#each(this.#names(agents), async (connection, run) => {
      if ((await this.#ask(connection, run, null)).admitted !== true) return;
      admitted += 1;
      for (let steps = 1; steps <= 2 * STEPS; steps++) {
        if ((await this.#report(connection, run, steps, steps === 2 * STEPS)).action === "stop") return;
      }
    });
    const { used_micros, total_micros } = await this.#gauge();
    const overspentMicros = Math.max(0, used_micros - total_micros);
    const boundMicros = connections * STEP_MICROS[billingModel];
    const faults = await this.#auditFaults();
    if (used_micros < total_micros) faults.push(`${total_micros - used_micros} were not used`);
    if (overspentMicros > boundMicros) faults.push(`overspent ${overspentMicros}, in flight were ${boundMicros}`);
    const late = await this.#ask(this.#connections[0] as HttpConnection, "late", null);
    if (late.admitted === true) faults.push("a run was admitted after the balance had run out");
    this.#close();
    return { asked: agents, admitted, room: null, overspentMicros, boundMicros, faults };
  }

  get #holdMicros(): number {
    return STEPS * STEP_MICROS[this.#plan.billingModel];
  }

  async #open(): Promise<void> {
    const { billingModel, places, connections } = this.#plan;
    const micros = places * STEPS * STEP_MICROS[billingModel];
    const settings = { name: "Crowded", billing_model: billingModel, plan: "pro" };
    const credits = billingModel === "credits" ? { monthly_allowance_micros: micros } : {};
    await this.#runtime.call("PUT", this.#path, { ...settings, ...credits });
    const cap = { monthly_cap_micros: micros };
    if (billingModel === "byom") await this.#runtime.call("PUT", `${this.#path}/spend-cap`, cap);
    const made = await this.#runtime.call("POST", `${this.#path}/keys`, { name: "agents", scopes: ["debit", "read"] });
    this.#key = (made as { key: string }).key;
    const { port } = this.#runtime;
    this.#connections = await Promise.all(Array.from({ length: connections }, () => HttpConnection.open(port)));
  }

  #close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** All agents ask at once; who was admitted, and how many there was room for. */
  async #rush(): Promise<Rush> {
    const hold = this.#holdMicros;
    const room = Math.min(this.#plan.agents, Math.floor((await this.#gauge()).available_micros / hold));
    const admitted: string[] = [];
    await this.#each(this.#names(this.#plan.agents), async (connection, run) => {
      if ((await this.#ask(connection, run, hold)).admitted === true) admitted.push(run);
    });
    return { admitted, room };
  }

  /** One in four gives its hold back, one ends half-way, and the others use theirs up. */
  async #liveOn(connection: HttpConnection, run: string, kind: number): Promise<void> {
    if (kind === 1) {
      await connection.send(requestBytes("DELETE", `${this.#path}/runs/${run}/hold`, bearer(this.#key)));
      return;
    }
    const last = kind === 2 ? STEPS / 2 : STEPS;
    for (let steps = 1; steps <= last; steps++) {
      const { action, reason } = await this.#report(connection, run, steps, steps === last);
      if (steps < STEPS && action !== "continue") throw new Error(`${run} holds credit and was told: ${reason}`);
    }
  }

  async #ask(connection: HttpConnection, run: string, holdMicros: number | null): Promise<Body> {
    const hold = holdMicros === null ? {} : { hold_micros: holdMicros };
    const body = { run, surface: "cli", workspace: "w", user: "u", ...hold };
    const answer = await this.#post(connection, "runs", body, ["402"]);
    if (answer.admitted !== true && !LACKS.includes(answer.code ?? ""))
      throw new Error(`${run} was answered ${JSON.stringify(answer)}`);
    return answer;
  }

  #report(connection: HttpConnection, run: string, steps: number, final: boolean): Promise<Body> {
    const usage = { input_tokens: 0, output_tokens: steps * STEP_TOKENS };
    return this.#post(connection, "debits", { run, model: MODEL, usage, final }, []);
  }

  async #post(connection: HttpConnection, path: string, body: unknown, refusals: string[]): Promise<Body> {
    const request = requestBytes("POST", `${this.#path}/${path}`, bearer(this.#key), JSON.stringify(body));
    return JSON.parse((await connection.send(request, refusals)).toString()) as Body;
  }

  async #gauge(): Promise<Gauge> {
    return (await this.#runtime.call("GET", `${this.#path}/gauge`)) as Gauge;
  }

  /** With holds that are kept, what was used was there, and nothing is owed or held once all runs have ended. */
  async #lookAtBooks(): Promise<Books> {
    const { used_micros, total_micros, debt_micros, held_micros } = await this.#gauge();
    const faults = await this.#auditFaults();
    const overspentMicros = Math.max(0, used_micros - total_micros, debt_micros);
    if (used_micros > total_micros) faults.push(`overspent ${used_micros - total_micros}`);
    if (debt_micros > 0) faults.push(`${debt_micros} are owed`);
    if (held_micros > 0) faults.push(`${held_micros} are held though every run has ended`);
    return { overspentMicros, faults };
  }

  async #auditFaults(): Promise<string[]> {
    type Audit = { checks: { name: string; ok: boolean; detail: string }[] };
    const { checks } = (await this.#runtime.call("GET", `${this.#path}/audit`)) as Audit;
    return checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  }

  /** Each of the runs in turn, by whichever connection is free. */
  async #each(runs: string[], act: (connection: HttpConnection, run: string, i: number) => Promise<void>) {
    const waiting = runs.entries();
    await Promise.all(
      this.#connections.map(async (connection) => {
        for (const [i, run] of waiting) await act(connection, run, i);
      }),
    );
  }

  #names(count: number): string[] {
    const names = Array.from({ length: count }, () => `run-${++this.#runs}-${wholeBetween(this.#random, 0, 999)}`);
    return shuffled(this.#random, names);
  }
}
