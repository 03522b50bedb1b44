// Nothing that `npm start` starts may outlive it, whatever ends it.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";

const LEASH = join(import.meta.dirname, "../../tools/start/leash.mjs");

/** Starts a child of its own and prints both process ids. */
const STUBBORN = `
  const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  console.log(process.pid + " " + child.pid);
  setInterval(() => {}, 1000);
`;

/** Everything that a test has started, for the case that the leash does not hold. */
const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0).filter(isAlive)) process.kill(pid, "SIGKILL");
});

async function leashed(script: string) {
  const leash = spawn(process.execPath, [LEASH, process.execPath, "-e", script], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const line = await new Promise<string>((heard) => leash.stdout!.once("data", (data) => heard(String(data))));
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
  // A process that has ended but whose parent has not taken note still has its id, and the state Z.
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !readFileSync(stat, "utf8").includes(") Z ");
}

function exitOf(child: ChildProcess): Promise<number | string | null> {
  return new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
}

async function allGone(pids: number[]): Promise<boolean> {
  for (let i = 0; i < 50 && pids.some(isAlive); i += 1) await sleep(100);
  return !pids.some(isAlive);
}

describe.skipIf(process.platform === "win32")("what is on a leash", () => {
  it("goes with everything it started when the leash is let go", async () => {
    const { leash, pids } = await leashed(STUBBORN);
    expect(pids.every(isAlive)).toBe(true);
    leash.stdin!.destroy();
    await exitOf(leash);
    expect(await allGone(pids)).toBe(true);
  });

  it("goes when the process that holds the leash is killed", async () => {
    const holder = spawn(
      process.execPath,
      [
        "-e",
        `require("node:child_process").spawn(process.execPath, ${JSON.stringify([LEASH, process.execPath, "-e", STUBBORN])}, { detached: true, stdio: ["pipe", "inherit", "inherit"] })`,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const pids = String(await new Promise((heard) => holder.stdout!.once("data", heard)))
      .trim()
      .split(" ")
      .map(Number);
    started.push(...pids);
    holder.kill("SIGKILL");
    expect(await allGone(pids)).toBe(true);
  });

  it("hands on the exit code of a command that ends by itself", async () => {
    const { leash } = await leashed("console.log(1); process.exitCode = 7");
    expect(await exitOf(leash)).toBe(7);
  });
});
