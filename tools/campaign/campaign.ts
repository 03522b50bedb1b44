// `npm run campaign -- --minutes 30`: every layer of proof at a larger size, from a fresh seed, for so long in all, and the
// figures that it comes to: printed, and written as JSON. Exit code 1 when anything was violated.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { reportFailure } from "../install.mjs";
import { wholeBetween } from "../kit/random.ts";
import { LAYERS, type Layer, type LayerResult, plantBugs } from "./layers.ts";

const HELP = `npm run campaign -- [options]

  --minutes N       for how long in all (default: 30)
  --layers A,B      only these: ${Object.keys(LAYERS).join(", ")}
  --seed N          the seed to begin from (default: a fresh one, which is printed)
  --mutations       plant every known bug as well, which takes as long as it takes (about an hour)
  --json FILE       where the figures go (default: campaign-results/latest.json)
  --help            this text`;
const MOST = 1_000_000_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    layers: { type: "string", default: Object.keys(LAYERS).join(",") },
    seed: { type: "string", default: String(wholeBetween(Math.random, 1, MOST)) },
    mutations: { type: "boolean", default: false },
    json: { type: "string", default: "campaign-results/latest.json" },
    help: { type: "boolean", default: false },
  },
});

try {
  if (values.help) console.log(HELP);
  else await campaign(Number(values.minutes), Number(values.seed), values.layers.split(","));
} catch (error) {
  reportFailure(error);
}

async function campaign(minutes: number, seed: number, names: string[]): Promise<void> {
  const unknown = names.filter((name) => !(name in LAYERS));
  if (unknown.length > 0 || !(minutes > 0) || !Number.isSafeInteger(seed)) throw new TypeError(`Usage:\n${HELP}`);
  const asked = (Object.entries(LAYERS) as [string, Layer][]).filter(([name]) => names.includes(name));
  const shares = asked.reduce((sum, [, { share }]) => sum + share, 0);
  console.error(`seed ${seed}, ${minutes} minutes`);
  const results: Record<string, LayerResult> = {};
  for (const [name, layer] of asked) {
    const seconds = Math.ceil((minutes * 60 * layer.share) / shares);
    console.error(`· ${name} for ${seconds} s …`);
    results[name] = await layer.run(seconds, seed);
    console.error(`· ${results[name].line}`);
  }
  if (values.mutations) results["planted bugs"] = await plantBugs();
  report(minutes, seed, results);
}

function report(minutes: number, seed: number, results: Record<string, LayerResult>): void {
  const violations = Object.values(results).flatMap(({ violations: some }) => some);
  const width = Math.max(...Object.keys(results).map((name) => name.length));
  console.log(`\nseed ${seed}, ${minutes} minutes, ${cpus().length} cores, Node ${process.versions.node}\n`);
  for (const [name, { line }] of Object.entries(results)) console.log(`${name.padEnd(width)}  ${line}`);
  console.log(`\nviolations: ${violations.length}`);
  for (const violation of violations) console.log(violation);
  const file = resolve(values.json);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ seed, minutes, results }, null, 2)}\n`);
  console.log(`Written to ${file}`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
