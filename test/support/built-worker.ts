/**
 * The Worker's bundle for tests that start it as a process. Building takes seconds, so the first test that needs the bundle
 * builds it, and all other tests of the same run wait for it and use it.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inject } from "vitest";
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
