// Runs one command on a leash: when the process that started this one is gone, for whatever reason, the command and
// everything that it started go too. The other end of stdin is the leash; a killed process closes it as well as one
// that ends in good order, which no signal handler can promise.
// Started detached, so that this process leads a group of its own and a Ctrl-C at the terminal is not sent to it:
// wrangler first gets time to end its workerd, then the group is killed.
import { spawn, spawnSync } from "node:child_process";

const GRACE_MS = 4000;

const [command, ...args] = process.argv.slice(2);
if (!command) throw new Error("name the command to run");

const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] });
child.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
child.on("exit", (code) => (letGo ? killGroup() : process.exit(code ?? 1)));

let letGo = false;
process.stdin.resume();
process.stdin.on("error", release);
process.stdin.on("close", release);
// Somebody may signal the whole group; the orderly way out is the same.
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, release);

function release() {
  if (letGo) return;
  letGo = true;
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
