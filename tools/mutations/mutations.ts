// `npm run mutations -- [--only words] [--layer simulation] [--every-layer] [--jobs 2]`: plants known bugs, one at a time,
// in a copy of the project, and shows which layer of tests catches each; with --every-layer also which others do. Exit
// code 1 when one survives, or cannot be planted. The bugs stand in tools/mutations/*.txt.
import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { ROOT } from "../install.mjs";
import { type Mutation, plant, readMutations } from "./read.ts";

type Caught = Record<string, boolean>;

const COPIED = ["src", "test", "tools", "migrations", "public", "docs", "README.md"];
const CONFIGURATION = ["package.json", "package-lock.json", "tsconfig.json", "vitest.config.ts", "wrangler.toml"];
/** A bug may make tests wait for ever, which catches it too. */
const LONGEST_MS = 600_000;

/** The arguments of vitest for each layer: narrow, and done with the first test that fails. */
const LAYERS: Record<string, string[]> = {
  ledger: ["--project", "core", "test/ledger"],
  enterprise: ["--project", "core", "test/enterprise"],
  simulation: ["--project", "core", "test/simulation"],
  access: ["--project", "worker", "test/worker/access.test.ts", "test/worker/access-matrix.test.ts"],
  crash: ["--project", "process", "test/crash"],
  contention: ["--project", "process", "test/contention"],
};

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    layer: { type: "string" },
    "every-layer": { type: "boolean", default: false },
    jobs: { type: "string", default: String(Math.min(2, availableParallelism())) },
  },
});

const { only, layer: asked } = values;
const all = readMutations()
  .map((mutation) => ({ ...mutation, layers: mutation.layers.filter((layer) => (asked ?? layer) === layer) }))
  .filter(({ note, file, layers }) => `${note} ${file}`.includes(only) && layers.length > 0);
const queue = [...all];
const results = new Map<Mutation, Caught | null>();
await assertSound();
await Promise.all(Array.from({ length: Number(values.jobs) }, () => work()));
report();

/** A layer that fails without any bug would catch everything. */
async function assertSound(): Promise<void> {
  const copy = await makeCopy();
  try {
    for (const layer of new Set(all.flatMap(({ layers }) => layers))) {
      if (await fails(copy, layer)) throw new Error(`the layer "${layer}" fails although nothing was planted`);
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** Takes one mutation after another into a copy of its own. */
async function work(): Promise<void> {
  const copy = await makeCopy();
  try {
    for (let mutation = queue.shift(); mutation !== undefined; mutation = queue.shift()) {
      results.set(mutation, await tryMutation(copy, mutation));
      console.log(`${lineOf(mutation)}  ${mutation.note}`);
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function makeCopy(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "mutations-"));
  for (const name of [...COPIED, ...CONFIGURATION]) await cp(join(ROOT, name), join(copy, name), { recursive: true });
  await symlink(join(ROOT, "node_modules"), join(copy, "node_modules"));
  return copy;
}

/** Which layers catch it; null when it cannot be planted. */
async function tryMutation(copy: string, mutation: Mutation): Promise<Caught | null> {
  const path = join(copy, mutation.file);
  const source = await readFile(path, "utf8");
  const planted = plant(mutation, source);
  if (planted === null) return null;
  await writeFile(path, planted);
  const caught: Caught = {};
  for (const layer of mutation.layers) {
    caught[layer] = await fails(copy, layer);
    if (caught[layer] && !values["every-layer"]) break;
  }
  await writeFile(path, source);
  return caught;
}

function fails(copy: string, layer: string): Promise<boolean> {
  const vitest = join(copy, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--bail", "1", "--reporter", "dot", ...(LAYERS[layer] ?? [])];
  return new Promise((resolve, reject) => {
    const env = { ...process.env, FUELGAUGE_CRASH_KILLS: "12" };
    const tests = spawn(process.execPath, args, { cwd: copy, env, stdio: "ignore", timeout: LONGEST_MS });
    tests.on("error", reject);
    tests.on("close", (code) => resolve(code !== 0));
  });
}

function lineOf(mutation: Mutation): string {
  const result = results.get(mutation) ?? null;
  if (result === null) return "cannot be planted:";
  const names = Object.keys(result).filter((layer) => result[layer]);
  return (names.length === 0 ? "SURVIVES" : names.join(", ")).padEnd(24);
}

function report(): void {
  const planted = all.filter((mutation) => (results.get(mutation) ?? null) !== null);
  const survivors = planted.filter((mutation) => lineOf(mutation).startsWith("SURVIVES"));
  console.log(`\n${all.length} bugs, ${planted.length} planted, ${planted.length - survivors.length} caught`);
  for (const layer of Object.keys(LAYERS)) {
    const tried = planted.map((mutation) => results.get(mutation) as Caught).filter((caught) => layer in caught);
    if (tried.length > 0) console.log(`${layer}: ${tried.filter((caught) => caught[layer]).length} of ${tried.length}`);
  }
  process.exitCode = survivors.length > 0 || planted.length < all.length ? 1 : 0;
}
