// Processes of a campaign: one that says what it came to in the last line of its output, as JSON, and vitest.
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../install.mjs";

// The sources use parameter properties, which Node only takes with this flag.
const FLAGS = ["--experimental-transform-types", "--disable-warning=ExperimentalWarning"];
const VITEST = join(ROOT, "node_modules", "vitest", "vitest.mjs");

/** What a process has said, and how it ended. */
interface Ended {
  code: number | null;
  output: string;
}

/** Runs a worker of a campaign; what it tells on the way goes to this process's standard error. */
export async function runWorker<T>(worker: string, args: readonly (string | number)[]): Promise<T> {
  const { code, output } = await runScript(worker, args);
  if (code !== 0) throw new Error(`${worker} ended with ${code}`);
  return JSON.parse(output.trimEnd().split("\n").at(-1) ?? "") as T;
}

/** Runs a script of the project, named by its path. */
export function runScript(script: string, args: readonly (string | number)[]): Promise<Ended> {
  return run([...FLAGS, join(ROOT, script), ...args.map(String)], {}, "inherit");
}

/** Runs tests; the output is whatever vitest printed. */
export function runVitest(args: readonly string[], environment: Record<string, string>): Promise<Ended> {
  return run([VITEST, "run", ...args], { NO_COLOR: "1", ...environment }, "pipe");
}

function run(args: string[], environment: Record<string, string>, stderr: "inherit" | "pipe"): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", stderr],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}
