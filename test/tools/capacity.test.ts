// `npm run capacity`: the waiting time grows with the load, and wrong options are explained.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { expect, it } from "vitest";

const TOOL = join(import.meta.dirname, "../../tools/capacity.ts");
const run = (...options: string[]) => spawnSync(process.execPath, [TOOL, ...options], { encoding: "utf8" });

it("draws longer waiting times for a higher load, at any cost of a request", () => {
  for (const options of [[], ["--cost", "8", "--rate", "125"]]) {
    const { status, stdout } = run(...options);
    expect(status).toBe(0);
    const [first = ""] = stdout.split("\n\n\n");
    const waits = [...first.matchAll(/^ +[\d.]+ +\d+ % +[\d.]+ +([\d.]+)/gm)].slice(0, 9).map(([, p99]) => Number(p99));
    expect(waits).toHaveLength(9);
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(waits.at(-1)).toBeGreaterThan(10 * (waits[0] as number));
  }
});

it("says what the options mean if one is wrong", () => {
  const { status, stderr } = run("--cost", "0");
  expect([status, stderr]).toEqual([1, "Give --cost in milliseconds and --rate per second, both above 0.\n"]);
});
