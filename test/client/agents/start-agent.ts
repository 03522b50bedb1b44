/** Starts the streaming agents, which stream the same tokens with each client, as processes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";

const PYTHON_CLIENT = resolve(import.meta.dirname, "../../../clients/python");

export const hasPython = (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, "python3")));

export type Language = "TypeScript" | "Python";

const COMMANDS: Record<Language, string[]> = {
  TypeScript: [process.execPath, join(import.meta.dirname, "streaming-agent.ts")],
  Python: ["python3", join(import.meta.dirname, "streaming_agent.py")],
};

export function startAgent(language: Language, environment: Record<string, string>) {
  const [command = "", ...args] = COMMANDS[language];
  // Python would ask the environment's proxy, if there is one, for the Workers on this machine.
  const python = { PYTHONPATH: PYTHON_CLIENT, PYTHONDONTWRITEBYTECODE: "1", no_proxy: "127.0.0.1" };
  const agent: ChildProcess = spawn(command, args, { env: { ...process.env, ...python, ...environment } });
  const printed = { out: "", err: "" };
  agent.stdout?.on("data", (data) => (printed.out += data));
  agent.stderr?.on("data", (data) => (printed.err += data));
  const ended = once(agent, "close").then(([status]) => status as number | null);
  return { agent, printed, ended };
}
