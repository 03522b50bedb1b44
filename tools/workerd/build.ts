// Builds the Worker as a deployment does: `wrangler deploy --dry-run` makes the bundle.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { localNode, ROOT, WRANGLER } from "../install.mjs";
import { StepFailed } from "../kit/failures.mjs";

/** Builds the Worker's bundle, which several runtimes can share. Returns its path. */
export function buildWorker(directory: string): string {
  const args = [WRANGLER, "deploy", "--dry-run", "--outdir", directory];
  const environment = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" };
  const result = spawnSync(localNode(), args, { cwd: ROOT, env: environment, encoding: "utf8" });
  if (result.status !== 0) {
    const detail = `wrangler deploy --dry-run ended with ${result.status ?? result.signal}`;
    throw new StepFailed("Building the Worker", detail, result.stdout + result.stderr);
  }
  return join(directory, "worker.js");
}
