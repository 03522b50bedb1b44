/**
 * Runs the client against the real Worker, over a network whose faults the test chooses and by a clock that only the
 * test moves. No test waits for time: `pass` moves the clock from timer to timer and lets requests finish at each.
 */
import { exports } from "cloudflare:workers";
import {
  type Clock,
  createFuelgauge,
  type FuelgaugeOptions,
  type Run,
  type StartOptions,
  type Trouble,
} from "../../packages/client/src/fuelgauge.ts";
import type { Fetch } from "../../packages/client/src/http.ts";
import { type Enterprise, newEnterprise } from "./api.ts";

/**
 * What happens to a request. `down`: it never arrives. `lost`: it arrives, its answer does not. `twice`: it arrives
 * twice. `held`: it arrives when the test calls `release`. `slowMs`: its answer takes this long. `status`: a proxy
 * answers instead of the Worker.
 */
type Fault =
  | "down"
  | "lost"
  | "twice"
  | "held"
  | { slowMs: number }
  | { status: number; headers?: Record<string, string>; body?: string };

export type Sent = { method: string; path: string; body: string | undefined; atMs: number };

export type World = Awaited<ReturnType<typeof newWorld>>;

class TestClock implements Clock {
  #steadyMs = 0;
  #timers: { atMs: number; then: () => void }[] = [];
  /** The time of day on the client's machine when the test begins; tests set it wrong. */
  wallMs = Date.now();
  requestsInFlight = 0;

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

  /** Moves the clock forward, running each timer when it is due. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#steadyMs + ms;
    for (;;) {
      await this.settle();
      const [next] = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#steadyMs = Math.max(this.#steadyMs, next.atMs);
      next.then();
    }
    this.#steadyMs = endMs;
    await this.settle();
  }

  /** Waits until no request is in flight and the client has handled the answers. */
  async settle(): Promise<void> {
    for (let idleTurns = 0; idleTurns < 3; idleTurns = this.requestsInFlight > 0 ? 0 : idleTurns + 1) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }
}

/** An enterprise, a network and a clock. Each `connect` makes the client of another process. */
export async function newWorld(settings: Record<string, unknown> = {}) {
  const enterprise: Enterprise = await newEnterprise({ test_clock: undefined, ...settings });
  const clock = new TestClock();
  const sent: Sent[] = [];
  const held: (() => Promise<unknown>)[] = [];
  const troubles: Trouble[] = [];
  const network = {
    /** Called for every request; null lets it through. */
    fault: (_request: Sent): Fault | null => null,
  };

  const deliver = async (url: string, init: Parameters<Fetch>[1]): Promise<Response> => {
    const { method, body = null } = init;
    clock.requestsInFlight += 1;
    try {
      const response = await exports.default.fetch(url, { method, headers: init.headers, body });
      const text = await response.text();
      const headers = new Headers(response.headers);
      // Every server on a real network sends its date.
      headers.set("Date", new Date().toUTCString());
      return new Response(text, { status: response.status, headers });
    } finally {
      clock.requestsInFlight -= 1;
    }
  };

  const fetch: Fetch = async (url, init) => {
    const request = { method: init.method, path: new URL(url).pathname, body: init.body, atMs: clock.steadyMs() };
    sent.push(request);
    const fault = network.fault(request);
    if (fault === "down") throw new TypeError("fetch failed");
    if (fault === "lost") {
      await deliver(url, init);
      throw new TypeError("terminated");
    }
    if (fault === "twice") await deliver(url, init);
    if (fault === "held") {
      held.push(() => deliver(url, init));
      return new Promise(() => {});
    }
    if (typeof fault === "object" && fault !== null && "status" in fault) {
      return new Response(fault.body ?? "", { status: fault.status, headers: fault.headers ?? {} });
    }
    const response = await deliver(url, init);
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
      /** Starts a run and throws if it is refused. */
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
    /** Delivers the requests that were held. */
    async release(): Promise<void> {
      await Promise.all(held.splice(0).map((send) => send()));
    },
    /** Finishes a run while this much time passes. */
    async finish(run: Run, passMs = 1_000) {
      const finishing = run.finish();
      await clock.pass(passMs);
      return finishing;
    },
    /** The reports of each request to /debits. */
    batches: () =>
      sent.filter(({ path }) => path.endsWith("/debits")).map(({ body }) => JSON.parse(body ?? "").reports),
    async used(): Promise<number> {
      return (await enterprise.gauge()).used_micros;
    },
  };
}

/** Usage of output tokens. 1,000 of gpt-5 cost one credit. */
export function output(tokens: number) {
  return { input_tokens: 0, output_tokens: tokens };
}

/** Lets three runs start unasked during an outage. */
export const OPEN_POLICY = { policy: "open", maxRuns: 3, maxUnreported: 10_000 } as const;

/** Starts a run while five seconds pass, as long as a client asks an unreachable ledger, and throws if it is refused. */
export async function startDuringOutage(
  clock: TestClock,
  client: ReturnType<World["connect"]>,
  run = "run-1",
  more: Partial<StartOptions> = {},
): Promise<Run> {
  const starting = client.startRun({ run, surface: "web", workspace: "w1", user: "u1", ...more });
  await clock.pass(5_000);
  const started = await starting;
  if (!started.admitted) throw new Error(started.refusal.code);
  return started.run;
}
