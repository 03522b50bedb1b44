// Runs one command and ends it, with everything it started, when the process that holds the leash is gone.
// The leash is the pipe at stdin: the system closes it however the holder ends, even after SIGKILL, where no signal
// handler runs. Must be started detached: then it leads its own process group, and Ctrl-C at the terminal does not
// reach it directly. wrangler gets a few seconds to end its workerd; then the whole group is killed.
import { spawn, spawnSync } from "node:child_process";

const GRACE_MS = 4000;

const [command, ...args] = process.argv.slice(2);
if (!command) throw new Error("Give the command to run.");

const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
child.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
child.on("exit", (code) => (released ? killGroup() : process.exit(code ?? 1)));

let released = false;
process.stdin.resume();
process.stdin.on("error", release);
process.stdin.on("close", release);
// A signal may still arrive, for example when somebody signals the whole group.
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, release);

function release() {
  if (released) return;
  released = true;
  if (process.platform === "win32") return killGroup();
  child.kill("SIGTERM");
  setTimeout(killGroup, GRACE_MS);
}

function killGroup() {
  if (process.platform === "win32") {
    spawnSync("taskkill", ["/pid", String(child.pid), "/T", "/F"]);
    process.exit(0);
  }
  process.kill(-process.pid, "SIGKILL");
}
