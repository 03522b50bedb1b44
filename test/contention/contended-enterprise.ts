// Thousands of agents on a balance that is enough for a hundred, over HTTP against the built Worker. With holds, exactly
// as many are admitted as fit, and nothing is overspent. Without holds, admitted runs may overspend by what was in flight
// when the balance ran out: one report per connection.

import { type Random, shuffled, wholeBetween } from "../../tools/kit/random.ts";
import { bearer, HttpConnection, requestBytes } from "../../tools/workerd/http-connection.ts";
import type { Runtime } from "../../tools/workerd/runtime.ts";

export interface Plan {
  agents: number;
  /** How many of them the balance is enough for. */
  roomFor: number;
  connections: number;
  billingModel: "credits" | "byom";
}

export interface Contention {
  asked: number;
  admitted: number;
  /** How many fitted into the balance; null without holds, where it is not known in advance. */
  room: number | null;
  overspentMicros: number;
  /** The most that could be in flight. */
  boundMicros: number;
  violations: string[];
}

type Body = Record<string, unknown> & { code?: string; action?: string };
interface Gauge {
  used_micros: number;
  total_micros: number;
  debt_micros: number;
  held_micros: number;
  available_micros: number;
}

type Admission = { admitted: string[]; room: number };
type Books = { overspentMicros: number; violations: string[] };

/** A step is a thousand output tokens of gpt-5, which cost one credit or a hundredth of a dollar. */
const MODEL = "gpt-5";
const STEP_TOKENS = 1_000;
const STEP_MICROS = { credits: 1_000_000, byom: 10_000 };
const STEPS = 4;
const EXPECTED_REFUSALS = ["credits_exhausted", "insufficient_credits", "spend_cap_reached"];

export class ContendedEnterprise {
  readonly #runtime: Runtime;
  readonly #random: Random;
  readonly #plan: Plan;
  readonly #path: string;
  #key = "";
  #connections: HttpConnection[] = [];
  #runs = 0;

  constructor(runtime: Runtime, name: string, plan: Plan, random: Random) {
    this.#runtime = runtime;
    this.#random = random;
    this.#plan = plan;
    this.#path = `/v1/enterprises/${name}`;
  }

  /**
   * All agents ask for a hold at once. Those admitted then use their holds, while others ask and use what was released
   * in between. At the end as many agents as at first ask for what is left.
   */
  async withHolds(): Promise<Contention[]> {
    await this.#open();
    const first = await this.#startAll();
    const holders = new Set(first.admitted);
    const mixed = shuffled(this.#random, [...holders, ...this.#names(this.#plan.agents)]);
    await this.#each(mixed, async (connection, run, i) => {
      if (holders.has(run)) await this.#useHold(connection, run, i % 4);
      else if ((await this.#start(connection, run, this.#holdMicros)).admitted === true) {
        await this.#useHold(connection, run, 0);
      }
    });
    const afterFirst = await this.#checkBooks();
    const second = await this.#startAll();
    await this.#each(second.admitted, (connection, run) => this.#useHold(connection, run, 0));
    const afterSecond = await this.#checkBooks();
    this.#close();
    return [
      this.#resultOf(first, 2 * this.#plan.agents, afterFirst),
      this.#resultOf(second, this.#plan.agents, afterSecond),
    ];
  }

  #resultOf({ admitted, room }: Admission, asked: number, { overspentMicros, violations }: Books): Contention {
    const miscounted = admitted.length === room ? [] : [`${admitted.length} were admitted, ${room} fit`];
    return {
      asked,
      admitted: admitted.length,
      room,
      overspentMicros,
      boundMicros: 0,
      violations: [...miscounted, ...violations],
    };
  }

  /** Agents start without a hold, and stop when an answer says `stop`. */
  async withoutHolds(): Promise<Contention> {
    const { agents, billingModel, connections } = this.#plan;
    await this.#open();
    let admitted = 0;
    await this.#each(this.#names(agents), async (connection, run) => {
      if ((await this.#start(connection, run, null)).admitted !== true) return;
      admitted += 1;
      for (let steps = 1; steps <= 2 * STEPS; steps++) {
        if ((await this.#report(connection, run, steps, steps === 2 * STEPS)).action === "stop") return;
      }
    });
    const { used_micros, total_micros } = await this.#gauge();
    const overspentMicros = Math.max(0, used_micros - total_micros);
    const boundMicros = connections * STEP_MICROS[billingModel];
    const violations = await this.#auditFailures();
    if (used_micros < total_micros) violations.push(`${total_micros - used_micros} were not used`);
    if (overspentMicros > boundMicros) violations.push(`overspent ${overspentMicros}, in flight were ${boundMicros}`);
    const late = await this.#start(this.#connections[0] as HttpConnection, "late", null);
    if (late.admitted === true) violations.push("a run was admitted after the balance had run out");
    this.#close();
    return { asked: agents, admitted, room: null, overspentMicros, boundMicros, violations };
  }

  get #holdMicros(): number {
    return STEPS * STEP_MICROS[this.#plan.billingModel];
  }

  async #open(): Promise<void> {
    const { billingModel, roomFor, connections } = this.#plan;
    const micros = roomFor * STEPS * STEP_MICROS[billingModel];
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

  /** All agents ask for a hold at once. Returns the admitted runs and how many fitted. */
  async #startAll(): Promise<Admission> {
    const hold = this.#holdMicros;
    const room = Math.min(this.#plan.agents, Math.floor((await this.#gauge()).available_micros / hold));
    const admitted: string[] = [];
    await this.#each(this.#names(this.#plan.agents), async (connection, run) => {
      if ((await this.#start(connection, run, hold)).admitted === true) admitted.push(run);
    });
    return { admitted, room };
  }

  /** Kind 1 releases the hold, kind 2 ends halfway, and the others use the hold up. */
  async #useHold(connection: HttpConnection, run: string, kind: number): Promise<void> {
    if (kind === 1) {
      await connection.send(requestBytes("DELETE", `${this.#path}/runs/${run}/hold`, bearer(this.#key)));
      return;
    }
    const last = kind === 2 ? STEPS / 2 : STEPS;
    for (let steps = 1; steps <= last; steps++) {
      const { action, reason } = await this.#report(connection, run, steps, steps === last);
      // The final report ends the hold, so its answer depends on what others have used.
      if (steps < last && action !== "continue")
        throw new Error(`${run} holds credit and was answered ${action}: ${reason}`);
    }
  }

  async #start(connection: HttpConnection, run: string, holdMicros: number | null): Promise<Body> {
    const hold = holdMicros === null ? {} : { hold_micros: holdMicros };
    const body = { run, surface: "cli", workspace: "w", user: "u", ...hold };
    const answer = await this.#post(connection, "runs", body, ["402"]);
    if (answer.admitted !== true && !EXPECTED_REFUSALS.includes(answer.code ?? ""))
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

  /** After all runs ended within their holds, nothing may be overspent, owed or held. */
  async #checkBooks(): Promise<Books> {
    const { used_micros, total_micros, debt_micros, held_micros } = await this.#gauge();
    const violations = await this.#auditFailures();
    const overspentMicros = Math.max(0, used_micros - total_micros, debt_micros);
    if (used_micros > total_micros) violations.push(`overspent ${used_micros - total_micros}`);
    if (debt_micros > 0) violations.push(`${debt_micros} are owed`);
    if (held_micros > 0) violations.push(`${held_micros} are held although every run has ended`);
    return { overspentMicros, violations };
  }

  async #auditFailures(): Promise<string[]> {
    type Audit = { checks: { name: string; ok: boolean; detail: string }[] };
    const { checks } = (await this.#runtime.call("GET", `${this.#path}/audit`)) as Audit;
    return checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  }

  /** Handles the runs in order, each on the next free connection. */
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
