// Measures how much watchers slow down debits: fifty live sockets, and a webhook receiver that accepts every event and
// never answers. Debits arrive at a steady rate, in short turns without watchers, with the sockets, and with the
// receiver. Each round gives ratios of the median latencies.

import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { bearer, requestBytes } from "../workerd/http-connection.ts";
import { RawSocket } from "../workerd/raw-socket.ts";
import type { Runtime } from "../workerd/runtime.ts";
import { type Measured, runOpen } from "./http-load.ts";
import { formatNumber, type Row } from "./report.ts";
import { median, ratiosOf } from "./stats.ts";
import { Reporter } from "./workload.ts";

const WATCHERS = 50;
const CONNECTIONS = 16;
const LEAD_MS = 500;
/** How many short rounds replace a planned one, so that other work on the machine affects all three turns alike. */
const SHORT_ROUNDS = 3;
const EVENTS = 5;
const MAX_PUSHES_PER_SECOND = 4;
const GIVE_UP_AFTER_MS = 30_000;

interface WatchersRound {
  alone: Measured;
  watched: Measured;
  /** How many gauges each watcher got per second, on average. */
  pushesPerSecond: number;
  receiver: Measured;
}

interface WatchersPlan {
  enterprise: string;
  key: string;
  perSecond: number;
  rounds: number;
  measureMs: number;
}

export async function measureWatchers(runtime: Runtime, plan: WatchersPlan): Promise<WatchersRound[]> {
  const rounds: WatchersRound[] = [];
  await debit(runtime, plan, "warm");
  for (let round = 0; round < plan.rounds * SHORT_ROUNDS; round++) {
    const alone = await debit(runtime, plan, `alone-${round}`);
    const watchers = await watch(runtime, plan);
    const watched = await debit(runtime, plan, `watched-${round}`);
    const pushesPerSecond = watchers.close();
    const receiver = await debitWithSilentReceiver(runtime, plan, `receiver-${round}`);
    // Leave out a round if nothing was answered in one of its turns, because the machine stalled.
    if ([alone, watched, receiver].every(({ p50Ms }) => p50Ms > 0)) {
      rounds.push({ alone, watched, pushesPerSecond, receiver });
    }
  }
  return rounds;
}

export function watcherRows(rounds: readonly WatchersRound[], perSecond: number): Row[] {
  const p50Of = (which: "alone" | "watched" | "receiver") => rounds.map((round) => round[which].p50Ms);
  const pushes = Math.max(...rounds.map(({ pushesPerSecond }) => pushesPerSecond));
  const row = (which: "watched" | "receiver", measure: string, against: string, more = ""): Row => ({
    measure: `p50 of a debit at ${formatNumber(perSecond)}/s ${measure}`,
    against,
    sides: `${formatNumber(median(p50Of(which)))} ms : ${formatNumber(median(p50Of("alone")))} ms${more}`,
    result: ratiosOf(p50Of(which), p50Of("alone")),
    unit: "×",
    target: { atMost: 1.3 },
  });
  return [
    row("watched", `with ${WATCHERS} watchers`, "no watchers", `, ${formatNumber(pushes)} pushes/s to each`),
    row("receiver", "with a webhook receiver that never answers", "no receiver"),
  ];
}

function debit(runtime: Runtime, { enterprise, key, perSecond, measureMs }: WatchersPlan, turn: string) {
  const name = `look-${Date.now()}-${turn}`;
  const reporters = Array.from({ length: CONNECTIONS }, (_, i) => new Reporter(`${name}-${i}`, 8));
  const path = `/v1/enterprises/${enterprise}/debits`;
  const next = (i: number) => requestBytes("POST", path, bearer(key), (reporters[i] as Reporter).next());
  return runOpen({ port: runtime.port, next }, CONNECTIONS, perSecond, {
    leadMs: LEAD_MS,
    measureMs: measureMs / SHORT_ROUNDS,
  });
}

/** Debits while events wait for a receiver that has accepted the first one and does not answer. */
async function debitWithSilentReceiver(runtime: Runtime, plan: WatchersPlan, turn: string): Promise<Measured> {
  const receiver = await startSilentReceiver();
  try {
    await runtime.ask(`webhook?${plan.enterprise}`, { "bench-url": receiver.url, "bench-events": String(EVENTS) });
    await Promise.race([receiver.connected, sleep(GIVE_UP_AFTER_MS, undefined, { ref: false })]);
    if (receiver.connections() === 0) throw new Error("no webhook was sent to the receiver");
    return await debit(runtime, plan, turn);
  } finally {
    receiver.close();
    await runtime.ask(`webhook?${plan.enterprise}`);
  }
}

/** Opens the watchers' sockets. Closing them returns the pushes per second to each, and throws if one was lost. */
async function watch(runtime: Runtime, { enterprise, key }: WatchersPlan) {
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
    close(): number {
      const seconds = (performance.now() - sinceMs) / 1000;
      for (const socket of sockets) socket.close();
      if (lost !== null) throw lost;
      // N pushes have N - 1 pauses between them.
      const perSecond = (pushes / WATCHERS - 1) / seconds;
      // The object keeps its pauses, but a push may arrive late and the next one on time: allow two more.
      if (pushes / WATCHERS > MAX_PUSHES_PER_SECOND * seconds + 2) {
        throw new Error(`watchers got ${perSecond.toFixed(1)} pushes a second`);
      }
      return perSecond;
    },
  };
}

/** Starts a server that accepts connections and never answers. */
async function startSilentReceiver() {
  const sockets = new Set<Socket>();
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    resolve();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/`,
    connected,
    connections: () => sockets.size,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
