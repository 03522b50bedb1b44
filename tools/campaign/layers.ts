// The layers of a campaign. Each runs for about the given number of seconds from a seed, and returns figures to publish
// and the failed checks, with the seeds that repeat them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../install.mjs";
import { runScript, runVitest, runWorker } from "./child.ts";
import type { Contended, Crashed, Simulated } from "./figures.ts";

export interface LayerResult {
  /** The figures as a sentence. */
  line: string;
  figures: object;
  violations: string[];
}

export interface Layer {
  /** Its weight when the total time is divided among the layers. */
  share: number;
  run(seconds: number, seed: number): Promise<LayerResult>;
}

const DAYS_PER_YEAR = 365.25;
/** How many random cases, and inputs for each route, the first round of a layer tries. Later rounds adapt to the time left. */
const FIRST_CASES = 1_000;
const FIRST_BAD_INPUTS = 10;
/** The folders and files whose tests try random cases. */
const PROPERTIES = ["test/ledger", "test/enterprise/books"];

export const LAYERS = {
  simulation: {
    share: 0.33,
    run: async (seconds, seed) => {
      const figures = await runWorker<Simulated>("test/simulation/campaign.ts", [seconds, seed, 1]);
      const { worlds, days, events, rareEvents, violations } = figures;
      const years = number(days / DAYS_PER_YEAR);
      return {
        line: `${years} simulated years in ${number(worlds)} worlds, ${number(events)} events${unseen(rareEvents)}`,
        figures,
        violations: violations.map((failed) => `simulation: seed ${failed}`),
      };
    },
  },
  crash: {
    share: 0.37,
    run: async (seconds, seed) => {
      const figures = await runWorker<Crashed>("test/crash/campaign.ts", [seconds, seed]);
      const { kills, acknowledged, lost, doubled, resumedMs, moments, violations } = figures;
      const resumed = `the copy caught up without help within ${number(resumedMs / 1_000, 1)} s${unseen(moments)}`;
      return {
        line: `${number(kills)} kills, ${number(acknowledged)} acknowledged reports, ${lost} lost, ${doubled} counted twice; ${resumed}`,
        figures,
        violations,
      };
    },
  },
  contention: {
    share: 0.1,
    run: async (seconds, seed) => {
      const figures = await runWorker<Contended>("test/contention/campaign.ts", [seconds, seed]);
      const { crowds, agents, held, overspentMicros, worstOfBound, violations } = figures;
      const withoutHolds = `without holds, at most ${number(worstOfBound * 100)} % of what was in flight`;
      return {
        line: `${number(held)} agents with holds, in ${crowds} crowds of ${number(agents)} with credits for a hundred: ${overspentMicros} micros overspent; ${withoutHolds}`,
        figures,
        violations,
      };
    },
  },
  properties: {
    share: 0.1,
    run: async (seconds, seed) => {
      const args = ["--project", "core", ...testsWith("/cases.ts", PROPERTIES)];
      const { sizes, violations } = await repeat(seconds, seed, args, "FUELGAUGE_CASES", FIRST_CASES);
      const cases = sizes.reduce((sum, size) => sum + size, 0);
      return { line: `${number(cases)} random cases over all properties`, figures: { cases }, violations };
    },
  },
  "bad input": {
    share: 0.1,
    run: async (seconds, seed) => {
      const args = ["--project", "worker", "test/worker/bad-"];
      const { outputs, violations } = await repeat(seconds, seed, args, "FUELGAUGE_BAD_INPUTS", FIRST_BAD_INPUTS);
      const count = (pattern: RegExp) =>
        outputs.flatMap((output) => [...output.matchAll(pattern)]).reduce((sum, [, found]) => sum + Number(found), 0);
      const requests = count(/(\d+) requests of generated and hostile input/g);
      const serverErrors = count(/(\d+) server errors/g);
      return {
        line: `${number(requests)} requests of generated and hostile input, ${serverErrors} server errors`,
        figures: { requests, serverErrors },
        violations,
      };
    },
  },
} as const satisfies Record<string, Layer>;

/** Plants every known bug and checks that a layer catches it. Ignores the time limit. */
export async function plantBugs(): Promise<LayerResult> {
  const { code, output } = await runScript("tools/mutations/mutations.ts", []);
  const [, planted = "0", caught = "0"] = /(\d+) planted, (\d+) caught/.exec(output) ?? [];
  const survivors = output.split("\n").filter((line) => /^(SURVIVES|cannot be planted)/.test(line));
  const failed = code === 0 ? [] : [`planted bugs: ${survivors.join("; ") || output.slice(-500)}`];
  const figures = { planted: Number(planted), caught: Number(caught) };
  return { line: `${planted} planted bugs, ${caught} caught`, figures, violations: failed };
}

/**
 * Runs tests repeatedly, each time from another seed, until the time is up. `variable` is the environment variable that
 * says how many inputs a round tries. A round is as large as the last one shows to fit into the time that is left.
 */
async function repeat(
  seconds: number,
  seed: number,
  args: readonly string[],
  variable: string,
  firstSize: number,
): Promise<{ sizes: number[]; outputs: string[]; violations: string[] }> {
  const endsMs = performance.now() + seconds * 1_000;
  const sizes: number[] = [];
  const outputs: string[] = [];
  const violations: string[] = [];
  for (let size = firstSize; size > 0; ) {
    const startedMs = performance.now();
    const roundSeed = String(seed + sizes.length);
    const { code, output } = await runVitest(args, { [variable]: String(size), FUELGAUGE_SEED: roundSeed });
    sizes.push(size);
    outputs.push(output);
    const repeated = `${variable}=${size} FUELGAUGE_SEED=${roundSeed} vitest ${args.join(" ")}`;
    if (code !== 0) violations.push(`${repeated}:\n${output.slice(-4_000)}`);
    size = nextSize(size, performance.now() - startedMs, endsMs - performance.now());
  }
  return { sizes, outputs, violations };
}

/**
 * Returns how many inputs the next round tries; 0 if there is no time for another. A round also spends time that does not
 * depend on its inputs, so a larger round takes less than in proportion, and a smaller one takes more.
 */
export function nextSize(size: number, tookMs: number, leftMs: number): number {
  return leftMs < tookMs ? 0 : Math.floor((size * leftMs) / tookMs);
}

/** Returns the tests in these folders that name this file in an import. */
function testsWith(imported: string, folders: readonly string[]): string[] {
  const files = folders.flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`));
  return files.filter(
    (file) => file.endsWith(".test.ts") && readFileSync(join(ROOT, file), "utf8").includes(`${imported}"`),
  );
}

/** Names what never happened: the campaign was too short for it, or it cannot happen any more. */
function unseen(counts: Record<string, number>): string {
  const never = Object.keys(counts).filter((name) => counts[name] === 0);
  return never.length > 0 ? `; never happened: ${never.join(", ")}` : "";
}

function number(value: number, digits = 0): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
