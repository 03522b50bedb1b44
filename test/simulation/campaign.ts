/**
 * One worker of a campaign (tools/simulate.ts): runs one world after another until its time is up, prints each violation
 * at once, and ends with a line of JSON with its sums.
 * Arguments: seconds, first seed, step from one seed to the next.
 */
import process from "node:process";
import type { Simulated } from "../../tools/campaign/figures.ts";
import { RareEventCounts } from "./rare-events.ts";
import { simulate } from "./simulate.ts";

const PROGRESS_MS = 60_000;

const [seconds = 60, firstSeed = 1, step = 1] = process.argv.slice(2).map(Number);
const rareEvents = new RareEventCounts();
const sum: Simulated = { worlds: 0, days: 0, events: 0, violations: [], rareEvents: rareEvents.counts };
const startedMs = performance.now();
let toldMs = startedMs;

for (let seed = firstSeed; performance.now() - startedMs < seconds * 1_000; seed += step) {
  const outcome = await simulate(seed);
  rareEvents.add(outcome.rareEvents);
  sum.worlds += 1;
  sum.days += outcome.days;
  sum.events += outcome.events;
  if (performance.now() - toldMs > PROGRESS_MS) {
    toldMs = performance.now();
    process.stderr.write(`· simulation: ${sum.worlds} worlds, ${Math.round(sum.days / 365.25)} years\n`);
  }
  if (outcome.violation === null) continue;
  sum.violations.push(seed);
  process.stderr.write(`${outcome.violation}\n\n`);
}

process.stdout.write(`${JSON.stringify(sum)}\n`);
