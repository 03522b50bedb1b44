// `npm run mutations`: plants known bugs in a copy of the project, one at a time, and shows which layer of tests catches
// each. The bugs are in tools/mutations/*.txt. Exits with 1 if a bug survives or cannot be planted.

import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../install.mjs";
import { reportFailure } from "../kit/failures.mjs";
import { parseOptions, UsageError } from "../kit/options.mjs";
import { type Mutation, plant, readMutations } from "./read.ts";

/** Whether each layer that ran caught the bug. */
type Caught = Record<string, boolean>;

const COPIED = ["src", "packages", "clients", "test", "tools", "migrations", "public", "docs", "README.md"];
const CONFIGURATION = ["package.json", "package-lock.json", "tsconfig.json", "vitest.config.ts", "wrangler.toml"];
/** A bug may make tests hang. That counts as caught. */
const MAX_TEST_MS = 600_000;

const CONSOLE_TESTS = [
  "operator-session-scopes",
  "operator-keys",
  "operator-sign-in",
  "operator-console",
  "journal-by",
];
const INPUT_TESTS = ["http", "webhooks"];
const CONTROL_TESTS = ["budgets", "budget-pages", "channels"];
const CLIENT_TESTS = [
  "never-harms",
  "socket-pauses",
  "streams",
  "ai-sdk-usages",
  "usage-agreement",
  "python",
  "agent-streams",
];

/** The arguments of vitest for each layer. Each run ends with the first test that fails. */
const LAYERS: Record<string, string[]> = {
  ledger: ["--project", "core", "test/ledger"],
  enterprise: ["--project", "core", "test/enterprise"],
  simulation: ["--project", "core", "test/simulation"],
  access: ["--project", "worker", "test/worker/access.test.ts", "test/worker/access-matrix.test.ts"],
  console: ["--project", "worker", ...[...CONSOLE_TESTS, ...INPUT_TESTS].map((name) => `test/worker/${name}.test.ts`)],
  control: ["--project", "worker", ...CONTROL_TESTS.map((name) => `test/worker/${name}.test.ts`)],
  texts: ["--project", "core", "test/wire"],
  cube: ["--project", "worker", "test/worker/usage-filters.test.ts"],
  operate: ["--project", "worker", "test/worker/metrics.test.ts", "test/worker/rotation.test.ts"],
  prices: ["--project", "worker", "test/worker/price-book.test.ts"],
  client: ["--project", "worker", "test/worker/client-"],
  "client process": ["--project", "core", ...CLIENT_TESTS.map((name) => `test/client/${name}.test.ts`)],
  crash: ["--project", "process", "test/crash"],
  data: ["--project", "core", "test/enterprise/data"],
  data_worker: ["--project", "worker", "test/worker/history.test.ts", "test/worker/regions.test.ts"],
  contention: ["--project", "process", "test/contention"],
  upgrade: ["--project", "process", "test/upgrade"],
};

const HELP = `Usage: npm run mutations -- [options]

Plants known bugs, one at a time, and shows which layer of tests catches each. All of them take about an hour.
Exits with 1 if a bug survives or cannot be planted.

  --only TEXT      plant only bugs whose description or file contains TEXT
  --layer NAME     run only one layer, so that bugs which another layer catches may survive: ${Object.keys(LAYERS).join(", ")}
  --every-layer    run all layers that should catch a bug, even after one has caught it
  --jobs N         test N bugs at once (default: one or two, as the machine has cores)
  --help           show this help`;

const OPTIONS = {
  only: { type: "string", default: "" },
  layer: { type: "string" },
  "every-layer": { type: "boolean", default: false },
  jobs: { type: "string", default: String(Math.min(2, availableParallelism())) },
  help: { type: "boolean", short: "h", default: false },
} as const;

const results = new Map<Mutation, Caught | null>();

await main().catch(reportFailure);

async function main(): Promise<void> {
  const { values } = parseOptions("npm run mutations", { options: OPTIONS });
  if (values.help) return console.log(HELP);
  const { only, layer: chosen } = values;
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) {
    throw new UsageError(`--jobs is "${values.jobs}"; it must be a whole number of at least 1.`);
  }
  if (chosen !== undefined && !(chosen in LAYERS)) throw new UsageError(`There is no layer "${chosen}".\n\n${HELP}`);
  const mutations = readMutations()
    .map((mutation) => ({ ...mutation, layers: mutation.layers.filter((layer) => (chosen ?? layer) === layer) }))
    .filter(({ note, file, layers }) => `${note} ${file}`.includes(only) && layers.length > 0);
  await assertLayersPass(mutations);
  const queue = [...mutations];
  await Promise.all(Array.from({ length: jobs }, () => testMutations(queue, values["every-layer"])));
  report(mutations);
}

/** Without this check, a layer that fails without any bug would seem to catch every bug. */
async function assertLayersPass(mutations: readonly Mutation[]): Promise<void> {
  const copy = await makeCopy();
  try {
    for (const layer of new Set(mutations.flatMap(({ layers }) => layers))) {
      if (await fails(copy, layer)) throw new Error(`the layer "${layer}" fails although no bug was planted`);
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** Takes one mutation after another from the queue and tests it in its own copy of the project. */
async function testMutations(queue: Mutation[], everyLayer: boolean): Promise<void> {
  const copy = await makeCopy();
  try {
    for (let mutation = queue.shift(); mutation !== undefined; mutation = queue.shift()) {
      results.set(mutation, await testMutation(copy, mutation, everyLayer));
      console.log(`${outcomeOf(mutation)}  ${mutation.note}`);
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function makeCopy(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), "mutations-"));
  for (const name of [...COPIED, ...CONFIGURATION]) await cp(join(ROOT, name), join(copy, name), { recursive: true });
  await linkLibraries(copy);
  return copy;
}

/** Links the libraries one by one, so that the copy has its own caches: other tests may run in the project meanwhile. */
async function linkLibraries(copy: string): Promise<void> {
  const [from, to] = [join(ROOT, "node_modules"), join(copy, "node_modules")];
  await mkdir(to);
  const names = (await readdir(from)).filter((name) => !name.startsWith(".vite"));
  await Promise.all(names.map((name) => symlink(join(from, name), join(to, name))));
}

/** Plants one bug and runs the layers that should catch it. Returns null if it cannot be planted. */
async function testMutation(copy: string, mutation: Mutation, everyLayer: boolean): Promise<Caught | null> {
  const path = join(copy, mutation.file);
  const source = await readFile(path, "utf8");
  const planted = plant(mutation, source);
  if (planted === null) return null;
  await writeFile(path, planted);
  const caught: Caught = {};
  for (const layer of mutation.layers) {
    caught[layer] = await fails(copy, layer);
    if (caught[layer] && !everyLayer) break;
  }
  await writeFile(path, source);
  return caught;
}

function fails(copy: string, layer: string): Promise<boolean> {
  const vitest = join(copy, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--bail", "1", "--reporter", "dot", ...(LAYERS[layer] ?? [])];
  return new Promise((resolve, reject) => {
    const env = { ...process.env, FUELGAUGE_CRASH_KILLS: "12" };
    const tests = spawn(process.execPath, args, { cwd: copy, env, stdio: "ignore", timeout: MAX_TEST_MS });
    tests.on("error", reject);
    tests.on("close", (code) => resolve(code !== 0));
  });
}

function outcomeOf(mutation: Mutation): string {
  const caught = results.get(mutation) ?? null;
  if (caught === null) return "cannot be planted:";
  const names = Object.keys(caught).filter((layer) => caught[layer]);
  return (names.length === 0 ? "SURVIVES" : names.join(", ")).padEnd(24);
}

function report(mutations: readonly Mutation[]): void {
  const planted = mutations.filter((mutation) => (results.get(mutation) ?? null) !== null);
  const survivors = planted.filter((mutation) => outcomeOf(mutation).startsWith("SURVIVES"));
  console.log(`\n${mutations.length} bugs, ${planted.length} planted, ${planted.length - survivors.length} caught`);
  for (const layer of Object.keys(LAYERS)) {
    const tested = planted.map((mutation) => results.get(mutation) as Caught).filter((caught) => layer in caught);
    if (tested.length > 0)
      console.log(`${layer}: ${tested.filter((caught) => caught[layer]).length} of ${tested.length}`);
  }
  process.exitCode = survivors.length > 0 || planted.length < mutations.length ? 1 : 0;
}
