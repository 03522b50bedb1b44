/**
 * Starts the built Worker in this process's own workerd, with the bindings and assets of wrangler.toml, an empty storage and
 * the tables of the copy. It has no development server between its callers and the Worker.
 */
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { ROOT } from "../../tools/install.mjs";
import { builtWorker } from "./built-worker.ts";

const NAME = "fuelgauge";
const MIGRATIONS = join(ROOT, "migrations");
export const OPERATOR_KEY = "operator-key-of-the-tests-32-characters";
const SIGNING_SECRET = "signing-secret-of-the-tests-32-characters";

/** The part of D1 that is used here. The Worker's types cannot be loaded beside those of the DOM. */
type Database = {
  prepare(sql: string): { all(): Promise<{ results: { name: string }[] }> };
  batch(statements: unknown[]): Promise<unknown>;
};

type WorkerOptions = { bindings: Record<string, string>; d1Databases: Record<string, { id: string }> };

/**
 * @param variables of the Worker, besides those of wrangler.toml
 * @param databases the bindings of D1 that get the tables
 * @param without the bindings of D1 that have no tables, so that every query fails
 */
export async function startBuiltWorker({
  variables = {},
  databases = ["DB"],
  without = [],
}: {
  variables?: Record<string, string>;
  databases?: string[];
  without?: string[];
} = {}) {
  const bundle = await builtWorker();
  const configured = await readConfiguredOptions(bundle);
  const options = {
    ...configured,
    name: NAME,
    modules: [{ type: "ESModule" as const, path: "worker.js", contents: readFileSync(bundle, "utf8") }],
    bindings: { ...configured.bindings, OPERATOR_KEY, SIGNING_SECRET, ...variables },
    d1Databases: Object.fromEntries([...databases, ...without].map((binding) => [binding, { id: binding }])),
  };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({ cf: false, telemetry: { enabled: false }, workers: [options] }),
  );
  const { origin } = await miniflare.ready;
  const database = async (binding: string) => (await miniflare.getD1Database(binding)) as unknown as Database;
  await Promise.all(databases.map(async (binding) => createTables(await database(binding))));
  return {
    url: origin,
    database,
    /** Closes all sockets of an enterprise's object and clears its memory, as a deployment does. */
    evict: (enterprise: string) =>
      miniflare.unsafeEvictDurableObject(NAME, "EnterpriseObject", { name: enterprise, webSockets: "close" }),
    stop: () => miniflare.dispose(),
  };
}

/** What wrangler.toml means to Miniflare. wrangler takes a second to load. All tests of a run share its answer. */
async function readConfiguredOptions(bundle: string): Promise<WorkerOptions> {
  const path = join(dirname(bundle), "options.json");
  if (!existsSync(path)) {
    Object.assign(process.env, { WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" });
    const { unstable_getMiniflareWorkerOptions } = await import("wrangler");
    const { workerOptions } = unstable_getMiniflareWorkerOptions(join(ROOT, "wrangler.toml"));
    // Another test may do the same. Whoever is last replaces a complete file by an equal one.
    writeFileSync(`${path}.${process.pid}`, JSON.stringify(workerOptions));
    renameSync(`${path}.${process.pid}`, path);
  }
  return JSON.parse(readFileSync(path, "utf8"));
}

async function createTables(database: Database): Promise<void> {
  const files = readdirSync(MIGRATIONS).filter((name) => name.endsWith(".sql"));
  const statements = files
    .sort()
    .flatMap((file) => readFileSync(join(MIGRATIONS, file), "utf8").split("--> statement-breakpoint"));
  await database.batch(statements.map((statement) => database.prepare(statement)));
}
