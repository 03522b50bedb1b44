// `npm run deploy`: creates the D1 database if it does not exist, applies its migrations, then deploys the Worker.
// Migrations come first: a new Worker may need new tables, and an old one ignores them. Options go to wrangler:
// `npm run deploy -- --env staging`. With --dry-run nothing is sent to Cloudflare.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { unstable_readConfig as readConfig } from "wrangler";
import { ROOT, WRANGLER } from "./install.mjs";

const options = process.argv.slice(2);
const { values } = parseArgs({
  args: options,
  strict: false,
  options: { env: { type: "string", short: "e" }, "dry-run": { type: "boolean" } },
});
// wrangler requires an explicit --env="" for the top level of wrangler.toml.
const named = typeof values.env === "string" ? values.env : (process.env.CLOUDFLARE_ENV ?? "");
const environment = [`--env=${named}`];
const database = databaseOf(named);

if (values["dry-run"] !== true) {
  if (!wrangler(["d1", "info", database, ...environment], "ignore"))
    runStep(["d1", "create", database, ...environment]);
  runStep(["d1", "migrations", "apply", database, "--remote", ...environment]);
}
runStep(["deploy", ...(values.env === undefined ? environment : []), ...options]);

/** The name of the D1 database in an environment. Operators may have changed it in wrangler.toml. */
function databaseOf(env: string): string {
  const { d1_databases } = readConfiguration(env);
  const name = d1_databases.find(({ binding }: { binding: string }) => binding === "DB")?.database_name;
  if (name === undefined) throw new Error("wrangler.toml has no database_name for the binding DB");
  return name;
}

function readConfiguration(env: string) {
  try {
    return readConfig({ config: join(ROOT, "wrangler.toml"), env });
  } catch (error) {
    // For example an environment that does not exist.
    console.error((error as Error).message);
    process.exit(1);
  }
}

/** Runs wrangler and returns whether it succeeded. */
function wrangler(args: string[], stdio: "inherit" | "ignore"): boolean {
  return spawnSync(process.execPath, [WRANGLER, ...args], { cwd: ROOT, stdio }).status === 0;
}

/** Runs wrangler for a step that later steps depend on, and exits if it fails. */
function runStep(args: string[]): void {
  if (wrangler(args, "inherit")) return;
  console.error(`"wrangler ${args.join(" ")}" failed; the steps after it were not run.`);
  process.exit(1);
}
