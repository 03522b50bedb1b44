// Notices that the npm which runs this script is gone. npm runs scripts through a shell and hands signals to that
// shell only, so `kill` of an npm leaves the script running, with everything that the script has started.
// A poll is all there is for it; started by hand (`node tools/start.mjs &`) a script may outlive its shell.
import { spawnSync } from "node:child_process";

const POLL_INTERVAL_MS = 500;

/**
 * Calls `then` once when npm, or the shell between npm and this process, has ended. Does nothing without npm.
 * @param {() => void} then
 */
export function whenNpmIsGone(then) {
  if (!process.env.npm_lifecycle_event || process.platform === "win32") return;
  const shell = process.ppid;
  const npm = parentOf(shell);
  const timer = setInterval(() => {
    if (process.ppid === shell && (npm === null || isAlive(npm))) return;
    clearInterval(timer);
    then();
  }, POLL_INTERVAL_MS);
  timer.unref();
}

/** @param {number} pid @returns {number | null} null when it cannot be told, or when it says nothing */
function parentOf(pid) {
  const parent = Number.parseInt(
    spawnSync("ps", ["-o", "ppid=", "-p", String(pid)], { encoding: "utf8" }).stdout ?? "",
    10,
  );
  return parent > 1 ? parent : null;
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
