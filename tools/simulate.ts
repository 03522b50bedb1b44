// `npm run simulate -- --seconds 1800 --seed 1 --jobs 2`: simulates enterprises for that long and prints what happened
// to them. One seed is one simulated world. Exits with 1 if a check failed, and prints the seeds of the worlds where it
// did; `FUELGAUGE_SEED=<seed> FUELGAUGE_SIM_WORLDS=1 npm test -- test/simulation` repeats one.

import { availableParallelism } from "node:os";
import process from "node:process";
import { runWorker } from "./campaign/child.ts";
import type { Simulated } from "./campaign/figures.ts";
import { reportFailure } from "./kit/failures.mjs";
import { parseOptions, UsageError } from "./kit/options.mjs";

const WORKER = "test/simulation/campaign.ts";
const DAYS_PER_YEAR = 365.25;
const HELP = `Usage: npm run simulate -- [options]

Simulates enterprises with their agents, operators, network and clock, and checks their books throughout.

  --seconds N   how long to simulate (default 60)
  --seed N      the seed of the first world; the next worlds use the next seeds (default 1)
  --jobs N      how many processes to use (default: one or two, as the machine has cores)
  --help        show this help`;

const OPTIONS = {
  seconds: { type: "string", default: "60" },
  seed: { type: "string", default: "1" },
  jobs: { type: "string", default: String(Math.min(2, availableParallelism())) },
  help: { type: "boolean", short: "h", default: false },
} as const;

await main().catch(reportFailure);

async function main(): Promise<void> {
  const { values } = parseOptions("npm run simulate", { options: OPTIONS });
  if (values.help) return console.log(HELP);
  const [seconds, seed, jobs] = [values.seconds, values.seed, values.jobs].map(Number) as [number, number, number];
  if (![seconds, seed, jobs].every((value) => Number.isSafeInteger(value) && value >= 0) || jobs < 1) {
    throw new UsageError(`--seconds, --seed and --jobs must be whole numbers.\n\n${HELP}`);
  }
  const sums = await Promise.all(
    Array.from({ length: jobs }, (_, job) => runWorker<Simulated>(WORKER, [seconds, seed + job, jobs])),
  );
  report(sums.reduce(add), { seconds, seed, jobs });
}

function add(a: Simulated, b: Simulated): Simulated {
  const names = Object.keys(a.rareEvents);
  return {
    worlds: a.worlds + b.worlds,
    days: a.days + b.days,
    events: a.events + b.events,
    violations: [...a.violations, ...b.violations],
    rareEvents: Object.fromEntries(names.map((name) => [name, (a.rareEvents[name] ?? 0) + (b.rareEvents[name] ?? 0)])),
  };
}

function report(
  { worlds, days, events, violations, rareEvents }: Simulated,
  { seconds, seed, jobs }: { seconds: number; seed: number; jobs: number },
): void {
  const years = days / DAYS_PER_YEAR;
  const width = Math.max(...Object.keys(rareEvents).map((name) => name.length));
  for (const [name, count] of Object.entries(rareEvents)) console.log(`${name.padEnd(width)}  ${count}`);
  console.log(`\n${worlds} worlds from seed ${seed}, ${years.toFixed(1)} simulated years, ${events} events`);
  console.log(`${(years / seconds).toFixed(2)} simulated years per second in ${jobs} processes`);
  const never = Object.keys(rareEvents).filter((name) => rareEvents[name] === 0);
  if (never.length > 0) console.log(`never happened: ${never.join(", ")}`);
  console.log(`failed worlds: ${violations.length}${violations.length > 0 ? ` (seeds ${violations.join(", ")})` : ""}`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
