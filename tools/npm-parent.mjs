// Notices when the npm that runs this script has ended. npm runs scripts through a shell and forwards signals to that
// shell only, so killing npm would leave the script and its children running. No event reports this, so we poll.
// Without npm nothing is polled: `node tools/start.mjs &` may outlive its shell.
import { spawnSync } from "node:child_process";

const POLL_INTERVAL_MS = 500;

/**
 * Calls `then` once, when npm or the shell between npm and this process has ended. Does nothing without npm.
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

/** @param {number} pid @returns {number | null} null when it cannot be found, or is process 1 or 0 */
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
    // EPERM: the process exists and belongs to another user.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
