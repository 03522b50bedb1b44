// What those who look on cost a debit: fifty watchers on live sockets, and a receiver of webhooks that takes every
// event and never answers. Debits come at one steady rate, in short turns with nobody there, with the watchers, and with
// the receiver; each round gives a ratio of the middle latencies.
import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Measured, runOpen } from "./http-load.ts";
import { type Row, shownNumber } from "./report.ts";
import type { Runtime } from "./runtime.ts";
import { RawSocket } from "./socket-load.ts";
import { median, ratiosOf } from "./stats.ts";
import { bearer, Reporter, requestBytes } from "./workload.ts";

const WATCHERS = 50;
const CONNECTIONS = 16;
const LEAD_MS = 500;
/** Many short rounds rather than a few long ones: what the machine does meanwhile then meets all three alike. */
const ROUNDS_FOR_ONE = 3;
const EVENTS = 5;
const PUSHES_PER_SECOND = 4;
const GIVE_UP_AFTER_MS = 30_000;

interface OnlookersRound {
  alone: Measured;
  watched: Measured;
  /** Gauges that each watcher was sent per second, on average. */
  pushesPerSecond: number;
  receiver: Measured;
}

interface OnlookersPlan {
  enterprise: string;
  key: string;
  perSecond: number;
  rounds: number;
  measureMs: number;
}

export async function measureOnlookers(runtime: Runtime, plan: OnlookersPlan): Promise<OnlookersRound[]> {
  const rounds: OnlookersRound[] = [];
  await debit(runtime, plan, "warm");
  for (let round = 0; round < plan.rounds * ROUNDS_FOR_ONE; round++) {
    const alone = await debit(runtime, plan, `alone-${round}`);
    const crowd = await watch(runtime, plan);
    const watched = await debit(runtime, plan, `watched-${round}`);
    const pushesPerSecond = crowd.leave();
    const receiver = await debitBeforeSilence(runtime, plan, `receiver-${round}`);
    // A turn in which the machine stood still, and nothing was answered at all, tells nothing.
    if ([alone, watched, receiver].every(({ p50Ms }) => p50Ms > 0)) {
      rounds.push({ alone, watched, pushesPerSecond, receiver });
    }
  }
  return rounds;
}

export function onlookerRows(rounds: readonly OnlookersRound[], perSecond: number): Row[] {
  const p50Of = (which: "alone" | "watched" | "receiver") => rounds.map((round) => round[which].p50Ms);
  const pushes = Math.max(...rounds.map(({ pushesPerSecond }) => pushesPerSecond));
  const row = (which: "watched" | "receiver", measure: string, more: string): Row => ({
    measure: `p50 of a debit at ${shownNumber(perSecond)}/s ${measure}`,
    against: "nobody there",
    sides: `${shownNumber(median(p50Of(which)))} ms : ${shownNumber(median(p50Of("alone")))} ms${more}`,
    result: ratiosOf(p50Of(which), p50Of("alone")),
    unit: "×",
    target: { atMost: 1.3 },
  });
  return [
    row("watched", `with ${WATCHERS} watchers`, `, ${shownNumber(pushes)} pushes/s to each`),
    row("receiver", "with a webhook receiver that never answers", ""),
  ];
}

function debit(runtime: Runtime, { enterprise, key, perSecond, measureMs }: OnlookersPlan, turn: string) {
  const name = `look-${Date.now()}-${turn}`;
  const reporters = Array.from({ length: CONNECTIONS }, (_, i) => new Reporter(`${name}-${i}`, 8));
  const path = `/v1/enterprises/${enterprise}/debits`;
  const next = (i: number) => requestBytes("POST", path, bearer(key), (reporters[i] as Reporter).next());
  return runOpen({ port: runtime.port, next }, CONNECTIONS, perSecond, {
    leadMs: LEAD_MS,
    measureMs: measureMs / ROUNDS_FOR_ONE,
  });
}

/** While events are on their way to a receiver that has taken the first and says nothing. */
async function debitBeforeSilence(runtime: Runtime, plan: OnlookersPlan, turn: string): Promise<Measured> {
  const silence = await silentReceiver();
  try {
    await runtime.ask(`webhook?${plan.enterprise}`, { "bench-url": silence.url, "bench-events": String(EVENTS) });
    await Promise.race([silence.taken, sleep(GIVE_UP_AFTER_MS, undefined, { ref: false })]);
    if (silence.connections() === 0) throw new Error("no webhook was sent to the receiver");
    return await debit(runtime, plan, turn);
  } finally {
    silence.close();
    await runtime.ask(`webhook?${plan.enterprise}`);
  }
}

/** Sockets that are told of every change; leaving tells how often each was. A watcher that was lost is an error. */
async function watch(runtime: Runtime, { enterprise, key }: OnlookersPlan) {
  const address = { port: runtime.port, path: `/v1/enterprises/${enterprise}/live`, key };
  let pushes = 0;
  let lost: Error | null = null;
  const onEnd = (error: Error) => {
    lost = error;
  };
  const onPush = () => {
    pushes += 1;
  };
  const sockets = Array.from({ length: WATCHERS }, () => new RawSocket(address, onPush, onEnd));
  await Promise.all(sockets.map(({ opened }) => opened));
  const sinceMs = performance.now();
  pushes = 0;
  return {
    leave(): number {
      const seconds = (performance.now() - sinceMs) / 1000;
      for (const socket of sockets) socket.close();
      if (lost !== null) throw lost;
      // So many pushes have one pause less between them.
      const each = (pushes / WATCHERS - 1) / seconds;
      // Pauses are kept where pushes leave; where they arrive, one may be late and the next in time.
      if (pushes / WATCHERS > PUSHES_PER_SECOND * seconds + 2)
        throw new Error(`a watcher was told ${each.toFixed(1)} times a second`);
      return each;
    },
  };
}

/** Takes connections and says nothing. */
async function silentReceiver() {
  const sockets = new Set<Socket>();
  const { promise: taken, resolve } = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    resolve();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/`,
    taken,
    connections: () => sockets.size,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
