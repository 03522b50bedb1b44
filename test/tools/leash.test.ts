// No process that `npm start` starts may outlive it, however it ends.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";

const LEASH = join(import.meta.dirname, "../../tools/start/leash.mjs");

/** Starts a child, prints both process ids, and never ends. */
const ENDLESS = `
  const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  console.log(process.pid + " " + child.pid);
  setInterval(() => {}, 1000);
`;

/** What the tests have started, to clean up if the leash fails. */
const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0).filter(isAlive)) process.kill(pid, "SIGKILL");
});

async function leashed(script: string) {
  const leash = spawn(process.execPath, [LEASH, process.execPath, "-e", script], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const line = await new Promise<string>((resolve) => leash.stdout!.once("data", (data) => resolve(String(data))));
  const pids = line.trim().split(" ").map(Number);
  started.push(...pids);
  return { leash, pids };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // A process that has ended keeps its id, in the state Z, until its parent collects it.
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !readFileSync(stat, "utf8").includes(") Z ");
}

function exitOf(child: ChildProcess): Promise<number | string | null> {
  return new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
}

const expectAllGone = (pids: number[]) => expect.poll(() => pids.filter(isAlive)).toEqual([]);

describe.skipIf(process.platform === "win32")("a command on a leash", () => {
  it("ends, with everything it started, when the pipe is closed", async () => {
    const { leash, pids } = await leashed(ENDLESS);
    expect(pids.every(isAlive)).toBe(true);
    leash.stdin!.destroy();
    await exitOf(leash);
    await expectAllGone(pids);
  });

  it("ends when the process that holds the pipe is killed", async () => {
    const holder = spawn(
      process.execPath,
      [
        "-e",
        `require("node:child_process").spawn(process.execPath, ${JSON.stringify([LEASH, process.execPath, "-e", ENDLESS])}, { detached: true, stdio: ["pipe", "inherit", "inherit"] })`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const pids = String(await new Promise((resolve) => holder.stdout!.once("data", resolve)))
      .trim()
      .split(" ")
      .map(Number);
    started.push(...pids);
    holder.kill("SIGKILL");
    await expectAllGone(pids);
  });

  it("passes on the exit code when it ends normally", async () => {
    const { leash } = await leashed("console.log(1); process.exitCode = 7");
    expect(await exitOf(leash)).toBe(7);
  });
});
