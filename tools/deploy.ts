// `npm run deploy`: creates the D1 databases that do not exist, applies their migrations, then deploys the Worker. A
// database bound as DB_EU… or DB_US… is created in that jurisdiction.
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
const databases = databasesOf(named);

if (values["dry-run"] !== true) {
  for (const { name, jurisdiction } of databases) {
    if (!wrangler(["d1", "info", name, ...environment], "ignore"))
      runStep(["d1", "create", name, ...jurisdiction, ...environment]);
    runStep(["d1", "migrations", "apply", name, "--remote", ...environment]);
  }
}
runStep(["deploy", ...(values.env === undefined ? environment : []), ...options]);

/** The D1 databases of an environment. Operators may have added some and changed the names in wrangler.toml. */
function databasesOf(env: string): { name: string; jurisdiction: string[] }[] {
  const { d1_databases } = readConfiguration(env);
  return d1_databases.map(({ binding, database_name: name }: { binding: string; database_name?: string }) => {
    if (name === undefined) throw new Error(`wrangler.toml has no database_name for the binding ${binding}`);
    const jurisdiction = /^DB_(EU|US)(?:_|$)/.exec(binding)?.[1]?.toLowerCase();
    return { name, jurisdiction: jurisdiction === undefined ? [] : ["--jurisdiction", jurisdiction] };
  });
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
