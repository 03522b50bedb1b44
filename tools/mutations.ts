// `npm run mutations -- [--only words] [--jobs 2] [--layer simulation]`: plants known bugs, one at a time, in a copy of
// the project, and shows which layer of tests catches each. The bugs stand in tools/mutations/*.txt: a sentence, the
// file, the lines to find (-) and to put in their place (+). Exit code 1 when one survives, or cannot be planted.
import { spawn } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";

type Mutation = { note: string; file: string; find: string; replace: string; layers: string[] };
type Caught = Record<string, boolean>;

const ROOT = join(import.meta.dirname, "..");
const COPIED = ["src", "test", "tools", "migrations", "docs", "README.md"];
const CONFIGURATION = ["package.json", "tsconfig.json", "vitest.config.ts", "wrangler.toml"];

/** The arguments of vitest for each layer: narrow, and done with the first test that fails. */
const LAYERS: Record<string, string[]> = {
  ledger: ["--project", "core", "test/ledger"],
  enterprise: ["--project", "core", "test/enterprise"],
  simulation: ["--project", "core", "test/simulation"],
  access: ["--project", "worker", "test/worker/access.test.ts"],
};

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    layer: { type: "string" },
    jobs: { type: "string", default: String(Math.min(2, availableParallelism())) },
  },
});

const { only, layer: asked } = values;
const all = (await readMutations())
  .map((mutation) => ({ ...mutation, layers: mutation.layers.filter((layer) => (asked ?? layer) === layer) }))
  .filter(({ note, file, layers }) => `${note} ${file}`.includes(only) && layers.length > 0);
const queue = [...all];
const results = new Map<Mutation, Caught | string>();
await Promise.all(Array.from({ length: Number(values.jobs) }, () => work()));
report();

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

/** Which layers catch it; a sentence when it cannot be planted. */
async function tryMutation(copy: string, { file, find, replace, layers }: Mutation): Promise<Caught | string> {
  const path = join(copy, file);
  const source = await readFile(path, "utf8");
  const places = source.split(find).length - 1;
  if (places !== 1) return `${places} places in ${file}`;
  await writeFile(
    path,
    source.replace(find, () => replace),
  );
  const caught: Caught = {};
  for (const layer of layers) caught[layer] = await fails(copy, layer);
  await writeFile(path, source);
  return caught;
}

function fails(copy: string, layer: string): Promise<boolean> {
  const vitest = join(copy, "node_modules", "vitest", "vitest.mjs");
  const args = [vitest, "run", "--bail", "1", "--reporter", "dot", ...(LAYERS[layer] ?? [])];
  return new Promise((resolve, reject) => {
    const tests = spawn(process.execPath, args, { cwd: copy, stdio: "ignore" });
    tests.on("error", reject);
    tests.on("close", (code) => resolve(code !== 0));
  });
}

function lineOf(mutation: Mutation): string {
  const result = results.get(mutation);
  if (result === undefined || typeof result === "string") return `cannot be planted: ${result}`;
  const names = Object.keys(result).filter((layer) => result[layer]);
  return (names.length === 0 ? "SURVIVES" : names.join(", ")).padEnd(24);
}

function report(): void {
  const planted = all.filter((mutation) => typeof results.get(mutation) === "object");
  const survivors = planted.filter((mutation) => lineOf(mutation).startsWith("SURVIVES"));
  console.log(`\n${all.length} bugs, ${planted.length} planted, ${planted.length - survivors.length} caught`);
  for (const layer of Object.keys(LAYERS)) {
    const tried = planted.map((mutation) => results.get(mutation) as Caught).filter((caught) => layer in caught);
    if (tried.length > 0) console.log(`${layer}: ${tried.filter((caught) => caught[layer]).length} of ${tried.length}`);
  }
  process.exitCode = survivors.length > 0 || planted.length < all.length ? 1 : 0;
}

async function readMutations(): Promise<Mutation[]> {
  const folder = join(ROOT, "tools", "mutations");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".txt")).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  return texts.flatMap(parseMutations);
}

/** A heading names the layers that are to catch what follows; then one paragraph for each bug. */
function parseMutations(text: string): Mutation[] {
  const [heading = "", ...paragraphs] = text.trim().split("\n\n");
  const layers = (heading.split(":")[1] ?? "").split(",").map((layer) => layer.trim());
  return paragraphs.map((paragraph) => {
    const [note = "", file = "", ...lines] = paragraph.split("\n");
    const marked = (mark: string) => lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(2));
    return { note, file, find: marked("-").join("\n"), replace: marked("+").join("\n"), layers };
  });
}
