// `npm run deploy`: the copy's database where there is none yet, its migrations, then the Worker and its objects.
// Migrations come first, because a new Worker may need new tables and an old one never minds them. Options go to
// wrangler: `npm run deploy -- --env staging`. With --dry-run nothing leaves this machine.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { unstable_readConfig as readConfig } from "wrangler";
import { ROOT } from "./install.mjs";

const options = process.argv.slice(2);
const { values } = parseArgs({
  args: options,
  strict: false,
  options: { env: { type: "string", short: "e" }, "dry-run": { type: "boolean" } },
});
// Without an environment it is the top level that is meant, which wrangler wants to hear.
const named = typeof values.env === "string" ? values.env : (process.env.CLOUDFLARE_ENV ?? "");
const environment = [`--env=${named}`];
const database = databaseOf(named);

if (values["dry-run"] !== true) {
  if (!wrangler(["d1", "info", database, ...environment], "ignore")) demand(["d1", "create", database, ...environment]);
  demand(["d1", "migrations", "apply", database, "--remote", ...environment]);
}
demand(["deploy", ...(values.env === undefined ? environment : []), ...options]);

/** What the database of the copy is called in an environment: whoever deploys may have given it another name. */
function databaseOf(env: string): string {
  const { d1_databases } = readConfiguration(env);
  const name = d1_databases.find(({ binding }: { binding: string }) => binding === "DB")?.database_name;
  if (name === undefined) throw new Error("wrangler.toml names no database for the binding DB");
  return name;
}

function readConfiguration(env: string) {
  try {
    return readConfig({ config: join(ROOT, "wrangler.toml"), env });
  } catch (error) {
    // Such as an environment that there is not.
    console.error((error as Error).message);
    process.exit(1);
  }
}

/** Runs wrangler; true when it succeeded. */
function wrangler(args: string[], stdio: "inherit" | "ignore"): boolean {
  const script = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
  return spawnSync(process.execPath, [script, ...args], { cwd: ROOT, stdio }).status === 0;
}

/** Runs a step that the next ones build on. */
function demand(args: string[]): void {
  if (wrangler(args, "inherit")) return;
  console.error(`"wrangler ${args.join(" ")}" failed; nothing after it was done.`);
  process.exit(1);
}
