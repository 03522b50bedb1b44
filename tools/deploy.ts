// `npm run deploy`: the copy's database where there is none yet, its migrations, then the Worker and its objects.
// Migrations come first, because a new Worker may need new tables and an old one never minds them. Options go to
// wrangler: `npm run deploy -- --env staging`. With --dry-run nothing leaves this machine.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./install.mjs";

const DATABASE = "fuelgauge";
const options = process.argv.slice(2);
const environment = options.filter((option, i) => option.startsWith("--env") || options[i - 1] === "--env");

if (!options.includes("--dry-run")) {
  if (!wrangler(["d1", "info", DATABASE, ...environment], "ignore")) demand(["d1", "create", DATABASE]);
  demand(["d1", "migrations", "apply", DATABASE, "--remote", ...environment]);
}
demand(["deploy", ...options]);

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
