// Starts the processes of a campaign: workers, whose last line of output is a JSON result, and vitest.
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { ROOT } from "../install.mjs";

// The sources use parameter properties, which Node supports only with this flag.
const FLAGS = ["--experimental-transform-types", "--disable-warning=ExperimentalWarning"];
const VITEST = join(ROOT, "node_modules", "vitest", "vitest.mjs");

/** How a process ended, and what it printed. */
interface Finished {
  code: number | null;
  output: string;
}

/** Runs a worker and returns its result. Its stderr goes to ours. */
export async function runWorker<T>(worker: string, args: readonly (string | number)[]): Promise<T> {
  const { code, output } = await runScript(worker, args);
  if (code !== 0) throw new Error(`${worker} ended with ${code}`);
  return JSON.parse(output.trimEnd().split("\n").at(-1) ?? "") as T;
}

/** Runs a script, named by its path from the project's root. */
export function runScript(script: string, args: readonly (string | number)[]): Promise<Finished> {
  return run([...FLAGS, join(ROOT, script), ...args.map(String)], {}, "inherit");
}

/** Runs tests and returns vitest's output. */
export function runVitest(args: readonly string[], environment: Record<string, string>): Promise<Finished> {
  return run([VITEST, "run", ...args], { NO_COLOR: "1", ...environment }, "pipe");
}

function run(args: string[], environment: Record<string, string>, stderr: "inherit" | "pipe"): Promise<Finished> {
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
