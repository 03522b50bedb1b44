// `npm run simulate -- --seconds 1800 --seed 1 --jobs 2`: lets simulated enterprises live for so long, and prints what
// they lived through. One seed is one world; what a world violates is printed with its seed, which replays it:
// `FUELGAUGE_SEED=<seed> FUELGAUGE_SIM_WORLDS=1 npm test -- test/simulation`. Exit code 1 when anything was violated.
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { runWorker } from "./campaign/child.ts";
import type { Simulated } from "./campaign/figures.ts";

const WORKER = "test/simulation/campaign.ts";
const DAYS_PER_YEAR = 365.25;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: String(Math.min(2, availableParallelism())) },
  },
});
const [seconds, seed, jobs] = [values.seconds, values.seed, values.jobs].map(Number) as [number, number, number];
if (![seconds, seed, jobs].every((value) => Number.isSafeInteger(value) && value >= 0) || jobs < 1) {
  console.error("Usage: npm run simulate -- [--seconds 60] [--seed 1] [--jobs 2]: whole numbers");
  process.exit(2);
}

const sums = await Promise.all(
  Array.from({ length: jobs }, (_, job) => runWorker<Simulated>(WORKER, [seconds, seed + job, jobs])),
);
report(sums.reduce(add));

function add(a: Simulated, b: Simulated): Simulated {
  const names = Object.keys(a.happenings);
  return {
    worlds: a.worlds + b.worlds,
    days: a.days + b.days,
    events: a.events + b.events,
    violations: [...a.violations, ...b.violations],
    happenings: Object.fromEntries(names.map((name) => [name, (a.happenings[name] ?? 0) + (b.happenings[name] ?? 0)])),
  };
}

function report({ worlds, days, events, violations, happenings }: Simulated): void {
  const years = days / DAYS_PER_YEAR;
  const width = Math.max(...Object.keys(happenings).map((name) => name.length));
  for (const [name, count] of Object.entries(happenings)) console.log(`${name.padEnd(width)}  ${count}`);
  console.log(`\nseeds ${seed} and on: ${worlds} worlds, ${years.toFixed(1)} simulated years, ${events} events`);
  console.log(`${(years / seconds).toFixed(2)} simulated years per second, ${jobs} at a time`);
  const never = Object.keys(happenings).filter((name) => happenings[name] === 0);
  if (never.length > 0) console.log(`never happened: ${never.join(", ")}`);
  console.log(`violations: ${violations.length}${violations.length > 0 ? ` (seeds ${violations.join(", ")})` : ""}`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
