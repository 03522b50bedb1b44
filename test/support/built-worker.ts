/**
 * The Worker's bundle for tests that start it as a process. Building takes seconds, so the first test that needs the bundle
 * builds it, and all other tests of the same run wait for it and use it.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inject } from "vitest";
import { ROOT } from "../../tools/install.mjs";
import { buildWorker } from "../../tools/workerd/build.ts";

const POLL_MS = 50;

declare module "vitest" {
  interface ProvidedContext {
    bundleFolder: string;
  }
}

/** Returns the path of the bundle, a single file. */
export async function builtWorker(): Promise<string> {
  const folder = inject("bundleFolder");
  const bundle = join(folder, "bundle");
  const failure = join(folder, "failure.txt");
  if (isFirst(join(folder, "building"))) {
    try {
      buildWorker(join(folder, "unfinished"));
    } catch (error) {
      writeFileSync(failure, String(error));
      throw error;
    }
    renameSync(join(folder, "unfinished"), bundle);
  }
  while (!existsSync(bundle)) {
    if (existsSync(failure)) throw new Error(readFileSync(failure, "utf8"));
    await sleep(POLL_MS);
  }
  return join(bundle, "worker.js");
}

/** Whether this process is the first that calls this with the path. */
function isFirst(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Writes a configuration of wrangler that starts the bundle without building it again, and returns its path.
 * @param more what is appended to the configuration
 */
export async function configOfBuiltWorker(more = ""): Promise<string> {
  const bundle = await builtWorker();
  const folder = mkdtempSync(join(inject("bundleFolder"), "config-"));
  const at = (path: string) => JSON.stringify(join(ROOT, path));
  // Only the top level: the named environments need not run.
  const [topLevel = ""] = readFileSync(join(ROOT, "wrangler.toml"), "utf8").split(/^\[env\./m);
  const text = topLevel
    .replace(/^main = .*$/m, `main = ${JSON.stringify(bundle)}\nno_bundle = true`)
    .replace(/^\[build\]\n(.+\n)+/m, "")
    .replace(/^directory = "(.*)"$/m, (_, path) => `directory = ${at(path)}`);
  const path = join(folder, "wrangler.toml");
  writeFileSync(
    path,
    (text + more).replaceAll(/^migrations_dir = "(.*)"$/gm, (_, path) => `migrations_dir = ${at(path)}`),
  );
  return path;
}
