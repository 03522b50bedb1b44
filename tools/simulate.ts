// `npm run simulate -- --seconds 1800 --seed 1 --jobs 2`: lets simulated enterprises live for so long, and prints what
// they lived through. One seed is one world; what a world violates is printed with its seed, which replays it:
// `FUELGAUGE_SEED=<seed> FUELGAUGE_SIM_WORLDS=1 npm test -- test/simulation`. Exit code 1 when anything was violated.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

type Sum = {
  worlds: number;
  days: number;
  events: number;
  violations: number[];
  happenings: Record<string, number>;
};

const WORKER = join(import.meta.dirname, "..", "test", "simulation", "campaign.ts");
// The sources use parameter properties, which Node only takes with this flag.
const FLAGS = ["--experimental-transform-types", "--disable-warning=ExperimentalWarning"];
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

const sums = await Promise.all(Array.from({ length: jobs }, (_, job) => runWorker(seed + job)));
report(sums.reduce(add));

function runWorker(firstSeed: number): Promise<Sum> {
  return new Promise((resolve, reject) => {
    const args = [...FLAGS, WORKER, String(seconds), String(firstSeed), String(jobs)];
    const worker = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    worker.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    worker.on("error", reject);
    worker.on("close", (code) => {
      if (code === 0) resolve(JSON.parse(output) as Sum);
      else reject(new Error(`a worker of the simulation ended with ${code}`));
    });
  });
}

function add(a: Sum, b: Sum): Sum {
  const names = Object.keys(a.happenings);
  return {
    worlds: a.worlds + b.worlds,
    days: a.days + b.days,
    events: a.events + b.events,
    violations: [...a.violations, ...b.violations],
    happenings: Object.fromEntries(names.map((name) => [name, (a.happenings[name] ?? 0) + (b.happenings[name] ?? 0)])),
  };
}

function report({ worlds, days, events, violations, happenings }: Sum): void {
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
