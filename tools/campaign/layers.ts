// The layers of a campaign. Each runs for about so many seconds from a seed of its own, and comes to figures that are
// published, and to what was violated, with the seed that replays it.

import { runScript, runVitest, runWorker } from "./child.ts";
import type { Contended, Crashed, Simulated } from "./figures.ts";

export interface LayerResult {
  /** The published sentence. */
  line: string;
  figures: object;
  violations: string[];
}

export interface Layer {
  /** Of the time that all layers have. */
  share: number;
  run(seconds: number, seed: number): Promise<LayerResult>;
}

const DAYS_PER_YEAR = 365.25;
const CASES_AT_ONCE = 50_000;
const BAD_INPUTS_AT_ONCE = 400;

export const LAYERS = {
  simulation: {
    share: 0.35,
    run: async (seconds, seed) => {
      const figures = await runWorker<Simulated>("test/simulation/campaign.ts", [seconds, seed, 1]);
      const { worlds, days, events, happenings, violations } = figures;
      const years = number(days / DAYS_PER_YEAR);
      return {
        line: `${years} simulated years in ${number(worlds)} worlds, ${number(events)} events${unseen(happenings)}`,
        figures,
        violations: violations.map((broken) => `simulation: seed ${broken}`),
      };
    },
  },
  crash: {
    share: 0.4,
    run: async (seconds, seed) => {
      const figures = await runWorker<Crashed>("test/crash/campaign.ts", [seconds, seed]);
      const { kills, acknowledged, lost, doubled, resumedMs, moments, violations } = figures;
      const resumed = `the copy caught up by itself within ${number(resumedMs / 1_000, 1)} s${unseen(moments)}`;
      return {
        line: `${number(kills)} kills, ${number(acknowledged)} acknowledged reports, ${lost} lost, ${doubled} doubled; ${resumed}`,
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
      const bare = `without, at most ${number(worstOfBound * 100)} % of what was in flight`;
      return {
        line: `${number(held)} agents with holds in ${crowds} crowds of ${number(agents)} on a balance for a hundred: ${overspentMicros} overspent; ${bare}`,
        figures,
        violations,
      };
    },
  },
  properties: {
    share: 0.1,
    run: async (seconds, seed) => {
      const env = { FUELGAUGE_CASES: String(CASES_AT_ONCE) };
      const { rounds, violations } = await repeat(seconds, seed, ["--project", "core", "test/ledger"], env);
      const cases = rounds.length * CASES_AT_ONCE;
      return { line: `${number(cases)} random cases of the properties`, figures: { cases }, violations };
    },
  },
  "bad input": {
    share: 0.05,
    run: async (seconds, seed) => {
      const env = { FUELGAUGE_BAD_INPUTS: String(BAD_INPUTS_AT_ONCE) };
      const { rounds, violations } = await repeat(seconds, seed, ["--project", "worker", "test/worker/bad-"], env);
      const count = (pattern: RegExp) =>
        rounds.flatMap((output) => [...output.matchAll(pattern)]).reduce((sum, [, found]) => sum + Number(found), 0);
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

/** Plants every known bug and sees it caught; takes as long as it takes. */
export async function plantBugs(): Promise<LayerResult> {
  const { code, output } = await runScript("tools/mutations/mutations.ts", []);
  const [, planted = "0", caught = "0"] = /(\d+) planted, (\d+) caught/.exec(output) ?? [];
  const survivors = output.split("\n").filter((line) => /^(SURVIVES|cannot be planted)/.test(line));
  const failed = code === 0 ? [] : [`planted bugs: ${survivors.join("; ") || output.slice(-500)}`];
  const figures = { planted: Number(planted), caught: Number(caught) };
  return { line: `${planted} planted bugs, ${caught} caught`, figures, violations: failed };
}

/** Runs tests again and again, each time from another seed, until the time is up. */
async function repeat(
  seconds: number,
  seed: number,
  args: readonly string[],
  environment: Record<string, string>,
): Promise<{ rounds: string[]; violations: string[] }> {
  const startedMs = performance.now();
  const rounds: string[] = [];
  const violations: string[] = [];
  do {
    const roundSeed = String(seed + rounds.length);
    const { code, output } = await runVitest(args, { ...environment, FUELGAUGE_SEED: roundSeed });
    rounds.push(output);
    if (code !== 0) violations.push(`FUELGAUGE_SEED=${roundSeed} vitest ${args.join(" ")}:\n${output.slice(-4_000)}`);
  } while (performance.now() - startedMs < seconds * 1_000);
  return { rounds, violations };
}

/** Names what is counted and never happened: the campaign was too short for it, or it cannot happen any more. */
function unseen(counts: Record<string, number>): string {
  const never = Object.keys(counts).filter((name) => counts[name] === 0);
  return never.length > 0 ? `; never met: ${never.join(", ")}` : "";
}

function number(value: number, digits = 0): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
