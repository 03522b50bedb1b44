// `node tools/run.mjs bench/pace.ts`: simulates many agent processes that report to one object, with the product's rule
// for `report_after_ms` and without it, and prints a table. Time is simulated, so the result is the same on every machine.
import { isNearLimit, reportAfterMs, Senders } from "../../src/ledger/pace.ts";

/** An object handles a call in this time, so it can take 1,000 calls a second. */
const CALL_MS = 1;
/** The time that a call takes on its way there and back is between these. */
const ROUND_TRIP_MS = [20, 80] as const;
/** Each agent uses this many micros a millisecond, and together they use up the balance at this time. */
const MICROS_PER_MS = 10;
const EXHAUSTED_MS = 30_000;
const LIMIT_MS = 120_000;
/** The rate of calls is measured in this time. */
const STEADY_MS = [10_000, 25_000] as const;
/** Clients without the rule report at most this often. */
const FIXED_PAUSE_MS = 250;

type Agent = { sentAtMs: number; reportedMicros: number; stoppedAtMs: number | null };
type Result = { callsPerSecond: number; slowestMs: number; lateMs: number[]; overshoot: number };

function simulate(agents: number, paced: boolean): Result {
  const random = seeded(agents);
  const availableMicros = agents * MICROS_PER_MS * EXHAUSTED_MS;
  const all: Agent[] = Array.from({ length: agents }, () => ({ sentAtMs: 0, reportedMicros: 0, stoppedAtMs: null }));
  const senders = new Senders();
  const due = new Map<number, (() => void)[]>();
  const at = (ms: number, act: () => void) => {
    const acts = due.get(Math.ceil(ms));
    if (acts === undefined) due.set(Math.ceil(ms), [act]);
    else acts.push(act);
  };
  let freeAtMs = 0;
  let usedMicros = 0;
  let calls = 0;
  let slowestMs = 0;
  let running = agents;

  const send = (agent: Agent, i: number, nowMs: number) => {
    const totalMicros = nowMs * MICROS_PER_MS;
    const halfMs = (ROUND_TRIP_MS[0] + random() * (ROUND_TRIP_MS[1] - ROUND_TRIP_MS[0])) / 2;
    agent.sentAtMs = nowMs;
    at(nowMs + halfMs, () => {
      const arrivedMs = nowMs + halfMs;
      freeAtMs = Math.max(arrivedMs, freeAtMs) + CALL_MS;
      const handledMs = freeAtMs;
      if (arrivedMs >= STEADY_MS[0] && arrivedMs < STEADY_MS[1]) {
        calls += 1;
        slowestMs = Math.max(slowestMs, handledMs - arrivedMs + 2 * halfMs);
      }
      at(handledMs, () => {
        const chargedMicros = totalMicros - agent.reportedMicros;
        agent.reportedMicros = totalMicros;
        usedMicros += chargedMicros;
        senders.note(`r${i}`, arrivedMs);
        const leftMicros = Math.max(0, availableMicros - usedMicros);
        const action = leftMicros === 0 ? "stop" : usedMicros >= 0.95 * availableMicros ? "wind_down" : "continue";
        const pauseMs = reportAfterMs(senders.count(), isNearLimit(action, leftMicros, chargedMicros));
        at(handledMs + halfMs, () => {
          const answeredMs = handledMs + halfMs;
          if (action === "stop") {
            agent.stoppedAtMs = answeredMs;
            running -= 1;
            return;
          }
          const nextMs = Math.max(answeredMs, agent.sentAtMs + (paced ? pauseMs : FIXED_PAUSE_MS));
          at(nextMs, () => send(agent, i, nextMs));
        });
      });
    });
  };
  for (const [i, agent] of all.entries()) {
    const firstMs = random() * 1_000;
    at(firstMs, () => send(agent, i, firstMs));
  }
  for (let ms = 0; running > 0 && ms < LIMIT_MS; ms++) {
    for (let acts = due.get(ms); acts !== undefined; acts = due.get(ms)) {
      due.delete(ms);
      for (const act of acts) act();
    }
  }
  const lateMs = all.map(({ stoppedAtMs }) => (stoppedAtMs ?? LIMIT_MS) - EXHAUSTED_MS).sort((a, b) => a - b);
  const overMicros = lateMs.reduce((sum, ms) => sum + ms * MICROS_PER_MS, 0);
  const seconds = (STEADY_MS[1] - STEADY_MS[0]) / 1_000;
  return { callsPerSecond: calls / seconds, slowestMs, lateMs, overshoot: overMicros / availableMicros };
}

/** A source of numbers from 0 to 1 that are the same each time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

console.log(
  "| agents | pace | calls a second | slowest answer | `stop` late: median | 99 % | overshoot without holds |",
);
console.log("|---|---|---|---|---|---|---|");
for (const agents of [10, 100, 1_000, 5_000]) {
  for (const paced of [false, true]) {
    const { callsPerSecond, slowestMs, lateMs, overshoot } = simulate(agents, paced);
    const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`;
    const part = (share: number) => seconds(lateMs[Math.floor(share * (lateMs.length - 1))] ?? 0);
    const cells = [
      agents,
      paced ? "set by the ledger" : "every 250 ms",
      Math.round(callsPerSecond),
      seconds(slowestMs),
    ];
    console.log(`| ${[...cells, part(0.5), part(0.99), `${(overshoot * 100).toFixed(1)} %`].join(" | ")} |`);
  }
}
