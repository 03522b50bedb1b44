// `npm run capacity`: simulates random arrivals at an object and at a D1 database, each of which handles one request
// after another at a fixed cost, and draws how the waiting time grows with the load. docs/scale.md explains the costs.
import process from "node:process";
import { parseArgs } from "node:util";

/** The costs in milliseconds: an object takes about 1,000 requests a second, and a batch of 100 runs takes about 20 ms. */
const SERVERS = [
  { name: "one object, requests a second", costMs: 1, maxRate: 1_000 },
  { name: "one D1 database, batches a second", costMs: 20, maxRate: 50 },
];
const SHARES = [0.1, 0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];
const ARRIVALS = 200_000;
const BAR_MS = 2;
const MAX_BAR = 50;

const { values } = parseArgs({ options: { cost: { type: "string" }, rate: { type: "string" } } });
const given = { name: "a server, requests a second", costMs: Number(values.cost), maxRate: Number(values.rate) };
if (values.cost !== undefined || values.rate !== undefined) {
  if (!(given.costMs > 0 && given.maxRate > 0)) {
    console.error("Give --cost in milliseconds and --rate per second, both above 0.");
    process.exit(1);
  }
  draw(given);
} else for (const server of SERVERS) draw(server);

function draw({ name, costMs, maxRate }: (typeof SERVERS)[number]): void {
  console.log(`${name} (${costMs} ms each)\n\n     rate   busy   p50 ms   p99 ms`);
  for (const share of SHARES) {
    const rate = share * maxRate;
    const waits = simulate(rate, costMs);
    const [p50, p99] = [0.5, 0.99].map((part) => waits[Math.floor(part * waits.length)] ?? 0) as [number, number];
    const busy = `${Math.round((rate * costMs) / 10)} %`;
    const bar = "#".repeat(Math.min(MAX_BAR, Math.round(p99 / costMs / BAR_MS)));
    console.log(`${rate.toFixed(1).padStart(9)}${busy.padStart(7)}${pad(p50)}${pad(p99)}  ${bar}`);
  }
  console.log();
}

/** Returns the times from arrival to answer, sorted. */
function simulate(ratePerSecond: number, costMs: number): number[] {
  const random = seeded();
  const waits: number[] = [];
  let [nowMs, freeAtMs] = [0, 0];
  for (let i = 0; i < ARRIVALS; i++) {
    nowMs += (-Math.log(1 - random()) * 1000) / ratePerSecond;
    freeAtMs = Math.max(nowMs, freeAtMs) + costMs;
    waits.push(freeAtMs - nowMs);
  }
  return waits.sort((a, b) => a - b);
}

/** Returns the same numbers from 0 to 1 each time (mulberry32), so that two runs print the same. */
function seeded(): () => number {
  let state = 1;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function pad(ms: number): string {
  return ms.toFixed(1).padStart(9);
}
