// `npm run campaign -- --minutes 30`: runs every layer of tests at a larger size, from a new seed, for that long in total.
// Prints figures and writes them as JSON. Exits with 1 if a check failed.

import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { reportFailure } from "../kit/failures.mjs";
import { parseOptions, UsageError } from "../kit/options.mjs";
import { wholeBetween } from "../kit/random.ts";
import { LAYERS, type Layer, type LayerResult, plantBugs } from "./layers.ts";

const HELP = `Usage: npm run campaign -- [options]

Runs every layer of tests at a larger size, from a new seed, and prints figures. Exits with 1 if a check failed.

  --minutes N       how long to run in total (default 30)
  --layers A,B      run only these layers: ${Object.keys(LAYERS).join(", ")}
  --seed N          the seed to start from (default: a random one, which is printed)
  --mutations       also plant every known bug, which takes about an hour on top
  --json FILE       write the figures to FILE (default campaign-results/latest.json)
  --help            show this help`;
const MAX_SEED = 1_000_000_000;

const OPTIONS = {
  minutes: { type: "string", default: "30" },
  layers: { type: "string", default: Object.keys(LAYERS).join(",") },
  seed: { type: "string", default: String(wholeBetween(Math.random, 1, MAX_SEED)) },
  mutations: { type: "boolean", default: false },
  json: { type: "string", default: "campaign-results/latest.json" },
  help: { type: "boolean", short: "h", default: false },
} as const;

await main().catch(reportFailure);

async function main(): Promise<void> {
  const { values } = parseOptions("npm run campaign", { options: OPTIONS });
  if (values.help) return console.log(HELP);
  const [minutes, seed, names] = [Number(values.minutes), Number(values.seed), values.layers.split(",")];
  const unknown = names.find((name) => !(name in LAYERS));
  if (unknown !== undefined) throw new UsageError(`There is no layer "${unknown}".\n\n${HELP}`);
  if (!(minutes > 0)) throw new UsageError(`--minutes is "${values.minutes}"; it must be a number above 0.`);
  if (!Number.isSafeInteger(seed)) throw new UsageError(`--seed is "${values.seed}"; it must be a whole number.`);

  const chosen = (Object.entries(LAYERS) as [string, Layer][]).filter(([name]) => names.includes(name));
  const shares = chosen.reduce((sum, [, { share }]) => sum + share, 0);
  console.error(`Seed ${seed}, ${minutes} minutes`);
  const results: Record<string, LayerResult> = {};
  for (const [name, layer] of chosen) {
    const seconds = Math.ceil((minutes * 60 * layer.share) / shares);
    console.error(`· ${name} for ${seconds} s …`);
    results[name] = await layer.run(seconds, seed);
    console.error(`· ${results[name].line}`);
  }
  if (values.mutations) results["planted bugs"] = await plantBugs();
  report(minutes, seed, results);
  writeResults(resolve(values.json), { seed, minutes, results });
}

function report(minutes: number, seed: number, results: Record<string, LayerResult>): void {
  const violations = Object.values(results).flatMap((result) => result.violations);
  const width = Math.max(...Object.keys(results).map((name) => name.length));
  console.log(`\nSeed ${seed}, ${minutes} minutes, ${cpus().length} cores, Node ${process.versions.node}\n`);
  for (const [name, { line }] of Object.entries(results)) console.log(`${name.padEnd(width)}  ${line}`);
  console.log(`\nfailed checks: ${violations.length}`);
  for (const violation of violations) console.log(violation);
  process.exitCode = violations.length > 0 ? 1 : 0;
}

function writeResults(file: string, content: object): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
  console.log(`Written to ${file}`);
}
