// A crowd of agents that start at once under overlapping budgets of users, workspaces and groups, and on a balance that is
// nearly empty. The crowd keeps its own books from the answers alone. Exactly those that fit are admitted: no limit is
// passed, and whoever was refused does not fit, because what is left only shrinks while they start.

import { pickWeighted, type Random, seededRandom, shuffled, wholeBetween } from "../../tools/kit/random.ts";

type CrowdPlan = {
  agents: number;
  /** How many calls are under way at once. */
  atOnce: number;
  /** How many agents, of all, the balance has room for. */
  balanceFor: number;
};

type CrowdOutcome = {
  admitted: number;
  refused: { balance: number; budget: number };
  overspentMicros: number;
  violations: string[];
};

type Scope = { dimension: "workspace" | "group" | "user"; id: string; period: "day" | "cycle" };
type Agent = { run: string; workspace: string; group: string; user: string; steps: number };
type Row = Scope & { used_micros: number; held_micros: number; limit_micros: number };
type Json = Record<string, unknown> & { code?: string; budget?: Scope };

/** A thousand output tokens of gpt-5 cost one credit. */
const STEP_MICROS = 1_000_000;
const STEP_TOKENS = 1_000;
const MEAN_STEPS = 2;
const [USERS, WORKSPACES, GROUPS] = [12, 5, 3];

export class BudgetCrowd {
  readonly #random: Random;
  readonly #path: string;
  /** The limit of each budget, and what this crowd holds or has used of it. */
  readonly #limits = new Map<string, number>();
  readonly #taken = new Map<string, number>();
  #balance = 0;
  #key = "";

  readonly baseUrl: string;
  readonly operatorKey: string;
  readonly name: string;
  readonly plan: CrowdPlan;

  constructor(baseUrl: string, operatorKey: string, name: string, plan: CrowdPlan) {
    this.baseUrl = baseUrl;
    this.operatorKey = operatorKey;
    this.name = name;
    this.plan = plan;
    this.#random = seededRandom(name);
    this.#path = `/v1/enterprises/${name}`;
  }

  /** All agents start at once with holds of one to three steps. Those admitted then use up their holds. */
  async run(): Promise<CrowdOutcome> {
    await this.#open();
    const agents = Array.from({ length: this.plan.agents }, (_, i) => this.#newAgent(i));
    const admitted: Agent[] = [];
    const refused: { agent: Agent; answer: Json }[] = [];
    await this.#each(shuffled(this.#random, agents), async (agent) => {
      const answer = await this.#start(agent);
      if (answer.admitted !== true) refused.push({ agent, answer });
      else {
        admitted.push(agent);
        for (const place of [...this.#placesOf(agent), "balance"]) {
          this.#taken.set(place, (this.#taken.get(place) ?? 0) + agent.steps * STEP_MICROS);
        }
      }
    });
    const violations = [...this.#overHeld(), ...refused.flatMap(({ agent, answer }) => this.#wrongly(agent, answer))];
    await this.#each(shuffled(this.#random, admitted), async (agent) => {
      violations.push(...(await this.#useHold(agent)));
    });
    violations.push(...(await this.#checkBooks()));
    const balance = refused.filter(({ answer }) => answer.code !== "budget_exhausted").length;
    const overspent = [...this.#limits].map(([place, limit]) => Math.max(0, (this.#taken.get(place) ?? 0) - limit));
    return {
      admitted: admitted.length,
      refused: { balance, budget: refused.length - balance },
      overspentMicros: Math.max(0, ...overspent),
      violations,
    };
  }

  async #open(): Promise<void> {
    const { agents, balanceFor } = this.plan;
    this.#balance = balanceFor * MEAN_STEPS * STEP_MICROS;
    const settings = { name: this.name, billing_model: "credits", plan: "pro" };
    // A clock that stands still: the budgets of a day must not reset meanwhile.
    const still = { monthly_allowance_micros: this.#balance, test_clock: "2026-03-10T12:00:00Z" };
    await this.#ok("PUT", this.#path, { ...settings, ...still });
    const made = await this.#ok("POST", `${this.#path}/keys`, { name: "agents", scopes: ["debit", "read"] });
    this.#key = made.key as string;
    // Together, the budgets of each dimension have room for more than the balance, and some of them for less than their
    // share. So budgets refuse some agents, and the balance refuses the rest.
    const share = (count: number) =>
      Math.ceil(((balanceFor * MEAN_STEPS) / count) * (0.6 + 1.4 * this.#random())) * STEP_MICROS;
    const set = async (scope: Scope, limit_micros: number) => {
      await this.#ok("PUT", `${this.#path}/budgets/${scope.dimension}/${scope.id}/${scope.period}`, { limit_micros });
      const ids = scope.id === "*" ? this.#idsOf(scope.dimension) : [scope.id];
      for (const id of ids) {
        const place = placeOf({ ...scope, id });
        if (scope.id !== "*" || !this.#limits.has(place)) this.#limits.set(place, limit_micros);
      }
    };
    for (const id of this.#idsOf("user").slice(0, 4)) await set({ dimension: "user", id, period: "day" }, share(USERS));
    for (const id of this.#idsOf("workspace"))
      await set({ dimension: "workspace", id, period: "cycle" }, share(WORKSPACES));
    await set({ dimension: "group", id: "g1", period: "day" }, share(GROUPS));
    await set({ dimension: "user", id: "*", period: "day" }, share(USERS));
    await set({ dimension: "group", id: "*", period: "cycle" }, share(GROUPS));
    if (agents <= balanceFor) throw new Error("the crowd must be larger than the balance");
  }

  #idsOf(dimension: Scope["dimension"]): string[] {
    const count = { user: USERS, workspace: WORKSPACES, group: GROUPS }[dimension];
    return Array.from({ length: count }, (_, i) => `${dimension[0]}${i + 1}`);
  }

  #newAgent(i: number): Agent {
    return {
      run: `run-${i}`,
      workspace: pickAny(this.#random, this.#idsOf("workspace")),
      group: pickAny(this.#random, this.#idsOf("group")),
      user: pickAny(this.#random, this.#idsOf("user")),
      steps: wholeBetween(this.#random, 1, 2 * MEAN_STEPS - 1),
    };
  }

  /** The budgets that limit an agent. */
  #placesOf(agent: Agent): string[] {
    return (["workspace", "group", "user"] as const).flatMap((dimension) =>
      (["day", "cycle"] as const)
        .map((period) => placeOf({ dimension, id: agent[dimension], period }))
        .filter((place) => this.#limits.has(place)),
    );
  }

  #left(place: string): number {
    return (place === "balance" ? this.#balance : (this.#limits.get(place) ?? 0)) - (this.#taken.get(place) ?? 0);
  }

  #overHeld(): string[] {
    return ["balance", ...this.#limits.keys()]
      .filter((place) => this.#left(place) < 0)
      .map((place) => `${place} is passed by ${-this.#left(place)}`);
  }

  /** What is wrong with a refusal: there was room, or it names something that has room. */
  #wrongly({ run, steps, ...agent }: Agent, { code, budget }: Json): string[] {
    const needed = steps * STEP_MICROS;
    const fits = (place: string) => this.#left(place) > 0 && this.#left(place) >= needed;
    const places = this.#placesOf({ run, steps, ...agent });
    if (code === "budget_exhausted") {
      const named = placeOf(budget as Scope);
      if (!places.includes(named)) return [`${run} was refused by ${named}, which does not limit it`];
      return fits(named) ? [`${run} was refused by ${named}, which has room`] : [];
    }
    const known = code === "credits_exhausted" || code === "insufficient_credits";
    return known && !fits("balance") ? [] : [`${run} was refused with ${code}, and the balance has room`];
  }

  async #useHold({ run, steps }: Agent): Promise<string[]> {
    for (let step = 1; step <= steps; step++) {
      const usage = { input_tokens: 0, output_tokens: step * STEP_TOKENS };
      const { status, body } = await this.#send("POST", `${this.#path}/debits`, {
        ...{ run, model: "gpt-5", usage, final: step === steps },
      });
      if (status !== 200) return [`a report of ${run} was answered ${status} ${body.code}`];
      if (step < steps && body.action !== "continue") return [`${run} holds credit and was answered ${body.action}`];
    }
    return [];
  }

  /** Every hold is used up: what was held is now used, nothing is owed, and no limit is passed. */
  async #checkBooks(): Promise<string[]> {
    const violations: string[] = [];
    const gauge = await this.#ok("GET", `${this.#path}/gauge`);
    if (gauge.used_micros !== (this.#taken.get("balance") ?? 0)) violations.push(`${gauge.used_micros} are used`);
    if (gauge.debt_micros !== 0 || gauge.held_micros !== 0) violations.push("credits are owed or held");
    for (const dimension of ["workspace", "group", "user"] as const) {
      for (const id of this.#idsOf(dimension)) {
        const { rows } = (await this.#ok("GET", `${this.#path}/budgets/${dimension}/${id}`)) as { rows: Row[] };
        for (const row of rows) {
          const place = placeOf({ ...row, dimension, id });
          const taken = this.#taken.get(place) ?? 0;
          if (row.limit_micros !== this.#limits.get(place))
            violations.push(`${place} has the limit ${row.limit_micros}`);
          if (row.used_micros !== taken) violations.push(`${place} shows ${row.used_micros}, used are ${taken}`);
          if (row.held_micros !== 0) violations.push(`${place} still holds ${row.held_micros}`);
          if (row.used_micros > row.limit_micros) violations.push(`${place} is overspent`);
        }
      }
    }
    const audit = await this.#ok("GET", `${this.#path}/audit`);
    if (audit.ok !== true) violations.push(`the audit fails: ${JSON.stringify(audit.checks)}`);
    return violations;
  }

  async #start({ run, workspace, group, user, steps }: Agent): Promise<Json> {
    const body = { run, surface: "cli", workspace, group, user, hold_micros: steps * STEP_MICROS };
    return (await this.#send("POST", `${this.#path}/runs`, body)).body;
  }

  async #ok(method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await this.#send(method, path, body, this.operatorKey);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async #send(method: string, path: string, body?: unknown, key = this.#key): Promise<{ status: number; body: Json }> {
    const response = await fetch(this.baseUrl + path, {
      method,
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Json };
  }

  /** Handles the agents in order, so many at once. */
  async #each(agents: readonly Agent[], act: (agent: Agent) => Promise<void>): Promise<void> {
    const waiting = agents.values();
    await Promise.all(
      Array.from({ length: this.plan.atOnce }, async () => {
        for (const agent of waiting) await act(agent);
      }),
    );
  }
}

function pickAny<T>(random: Random, items: readonly T[]): T {
  return pickWeighted(random, items, () => 1);
}

function placeOf({ dimension, id, period }: Scope): string {
  return `${dimension} ${id} ${period}`;
}
