/**
 * Moves the temporary files of a run into memory, where the system has a file system in memory with enough room. Objects
 * and D1 sync every commit to the disk, and most tests would wait for the disk longer than for the Worker. A process that
 * is killed leaves the same files in memory as on a disk, so tests that kill the Worker prove the same.
 */
import { accessSync, constants, mkdirSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

const MEMORY = "/dev/shm";
/** A run uses less than 1 GB. */
const NEEDED_BYTES = 3e9;
const PREFIX = "fuelgauge-tests-";

let onDisk: string | undefined;

/** Makes a folder for this process and its children, and removes it when this process ends. */
export function keepTemporaryFilesInMemory(): void {
  if (!hasRoom()) return;
  for (const name of readdirSync(MEMORY)) if (isLeftOver(name)) remove(name);
  const name = `${PREFIX}${process.pid}`;
  mkdirSync(join(MEMORY, name), { recursive: true });
  onDisk = process.env.TMPDIR;
  process.env.TMPDIR = join(MEMORY, name);
  process.once("exit", () => remove(name));
}

/** Calls the function with the usual folder for temporary files, for what the next run should find. */
export async function onDiskInstead<T>(act: () => Promise<T>): Promise<T> {
  const { TMPDIR } = process.env;
  if (onDisk === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = onDisk;
  try {
    return await act();
  } finally {
    if (TMPDIR !== undefined) process.env.TMPDIR = TMPDIR;
  }
}

function hasRoom(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= NEEDED_BYTES;
  } catch {
    return false;
  }
}

/** Whether the folder is of a run that was killed. */
function isLeftOver(name: string): boolean {
  if (!name.startsWith(PREFIX)) return false;
  try {
    process.kill(Number(name.slice(PREFIX.length)), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

/** What another user of the machine left over cannot be removed, which must not stop this run. */
function remove(name: string): void {
  try {
    rmSync(join(MEMORY, name), { recursive: true, force: true, maxRetries: 5 });
  } catch (error) {
    console.warn(`${name} in ${MEMORY} was not removed: ${String(error)}`);
  }
}
