/**
 * The client against the real Worker, over a network that does what a test says, by a clock that only the test moves.
 * Nothing waits for time: `pass` lets the clock run from timer to timer, and waits at each for what is under way.
 */
import { exports } from "cloudflare:workers";
import {
  type Clock,
  createFuelgauge,
  type FuelgaugeOptions,
  type Run,
  type StartOptions,
  type Trouble,
} from "../../src/client/fuelgauge.ts";
import type { Fetch } from "../../src/client/http.ts";
import { type Enterprise, newEnterprise } from "./api.ts";

/**
 * What happens to a request: it never arrives; its answer is lost; it arrives twice; it arrives, and the answer takes
 * so long; it arrives only when the test lets it; a proxy answers in the Worker's place.
 */
export type Fault =
  | "down"
  | "lost"
  | "twice"
  | "held"
  | { slowMs: number }
  | { status: number; headers?: Record<string, string>; body?: string };

export type Sent = { method: string; path: string; body: string | undefined; atMs: number };

export type World = Awaited<ReturnType<typeof newWorld>>;

export class TestClock implements Clock {
  #steadyMs = 0;
  #timers: { atMs: number; then: () => void }[] = [];
  /** What this machine believes to be the time when the test begins. */
  wallMs = Date.now();
  underWay = 0;

  nowMs(): number {
    return this.wallMs + this.#steadyMs;
  }

  steadyMs(): number {
    return this.#steadyMs;
  }

  after(delayMs: number, then: () => void): () => void {
    const timer = { atMs: this.#steadyMs + delayMs, then };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get pending(): number {
    return this.#timers.length;
  }

  /** Lets so much time pass. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#steadyMs + ms;
    for (;;) {
      await this.quiet();
      const [next] = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#steadyMs = Math.max(this.#steadyMs, next.atMs);
      next.then();
    }
    this.#steadyMs = endMs;
    await this.quiet();
  }

  /** Waits until nothing is under way to the Worker, and what follows from answers has happened. */
  async quiet(): Promise<void> {
    for (let calm = 0; calm < 3; calm = this.underWay > 0 ? 0 : calm + 1) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

/** An enterprise, a network and a clock; `connect` makes clients of it, one for each process that a test imagines. */
export async function newWorld(settings: Record<string, unknown> = {}) {
  const enterprise: Enterprise = await newEnterprise({ test_clock: undefined, ...settings });
  const clock = new TestClock();
  const sent: Sent[] = [];
  const held: (() => Promise<unknown>)[] = [];
  const troubles: Trouble[] = [];
  const network = {
    /** Asked for every request; null lets it through. */
    fault: (_request: Sent): Fault | null => null,
  };

  const arrive = async (url: string, init: Parameters<Fetch>[1]): Promise<Response> => {
    const { method, body = null } = init;
    clock.underWay += 1;
    try {
      const response = await exports.default.fetch(url, { method, headers: init.headers, body });
      const text = await response.text();
      const headers = new Headers(response.headers);
      // As every server on a real network says it.
      headers.set("Date", new Date().toUTCString());
      return new Response(text, { status: response.status, headers });
    } finally {
      clock.underWay -= 1;
    }
  };

  const fetch: Fetch = async (url, init) => {
    const request = { method: init.method, path: new URL(url).pathname, body: init.body, atMs: clock.steadyMs() };
    sent.push(request);
    const fault = network.fault(request);
    if (fault === "down") throw new TypeError("fetch failed");
    if (fault === "lost") {
      await arrive(url, init);
      throw new TypeError("terminated");
    }
    if (fault === "twice") await arrive(url, init);
    if (fault === "held") {
      held.push(() => arrive(url, init));
      return new Promise(() => {});
    }
    if (typeof fault === "object" && fault !== null && "status" in fault) {
      return new Response(fault.body ?? "", { status: fault.status, headers: fault.headers ?? {} });
    }
    const response = await arrive(url, init);
    if (typeof fault === "object" && fault !== null) await new Promise<void>((done) => clock.after(fault.slowMs, done));
    return response;
  };

  const connect = (options: Partial<FuelgaugeOptions> = {}) => {
    const { id, key } = enterprise;
    const onTrouble = (trouble: Trouble) => void troubles.push(trouble);
    const fuelgauge = createFuelgauge({
      url: "https://fuelgauge.test",
      enterprise: id,
      key,
      fetch,
      clock,
      random: () => 0.5,
      onTrouble,
      ...options,
    });
    return {
      ...fuelgauge,
      /** A run that must be admitted. */
      async start(run: string, more: Partial<StartOptions> = {}): Promise<Run> {
        const starting = fuelgauge.startRun({ run, surface: "web", workspace: "w1", user: "u1", ...more });
        await clock.pass(0);
        const started = await starting;
        if (!started.admitted) throw new Error(`${started.refusal.code} ${started.refusal.detail}`);
        return started.run;
      },
    };
  };

  return {
    enterprise,
    clock,
    network,
    sent,
    troubles,
    connect,
    fetch,
    /** Lets what was held back arrive now. */
    async release(): Promise<void> {
      await Promise.all(held.splice(0).map((deliver) => deliver()));
    },
    /** Finishes a run while time passes. */
    async finish(run: Run, passMs = 1_000) {
      const finishing = run.finish();
      await clock.pass(passMs);
      return finishing;
    },
    /** The requests that carried reports, each as its list of reports. */
    batches: () =>
      sent.filter(({ path }) => path.endsWith("/debits")).map(({ body }) => JSON.parse(body ?? "").reports),
    async used(): Promise<number> {
      return (await enterprise.gauge()).used_micros;
    },
  };
}

/** Output tokens of gpt-5, 1,000 of which cost a credit. */
export function output(tokens: number) {
  return { input_tokens: 0, output_tokens: tokens };
}
