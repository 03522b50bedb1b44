// The layers of a campaign. Each runs for about the given number of seconds from a seed, and returns figures to publish
// and the failed checks, with the seeds that repeat them.

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
const CASES_PER_ROUND = 50_000;
const BAD_INPUTS_PER_ROUND = 400;

export const LAYERS = {
  simulation: {
    share: 0.35,
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
    share: 0.4,
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
      const env = { FUELGAUGE_CASES: String(CASES_PER_ROUND) };
      const { rounds, violations } = await repeat(
        seconds,
        seed,
        ["--project", "core", "test/ledger", "test/enterprise/books"],
        env,
      );
      const cases = rounds.length * CASES_PER_ROUND;
      return { line: `${number(cases)} random cases over all properties`, figures: { cases }, violations };
    },
  },
  "bad input": {
    share: 0.05,
    run: async (seconds, seed) => {
      const env = { FUELGAUGE_BAD_INPUTS: String(BAD_INPUTS_PER_ROUND) };
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

/** Plants every known bug and checks that a layer catches it. Ignores the time limit. */
export async function plantBugs(): Promise<LayerResult> {
  const { code, output } = await runScript("tools/mutations/mutations.ts", []);
  const [, planted = "0", caught = "0"] = /(\d+) planted, (\d+) caught/.exec(output) ?? [];
  const survivors = output.split("\n").filter((line) => /^(SURVIVES|cannot be planted)/.test(line));
  const failed = code === 0 ? [] : [`planted bugs: ${survivors.join("; ") || output.slice(-500)}`];
  const figures = { planted: Number(planted), caught: Number(caught) };
  return { line: `${planted} planted bugs, ${caught} caught`, figures, violations: failed };
}

/** Runs tests repeatedly, each time from another seed, until the time is up. */
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

/** Names what never happened: the campaign was too short for it, or it cannot happen any more. */
function unseen(counts: Record<string, number>): string {
  const never = Object.keys(counts).filter((name) => counts[name] === 0);
  return never.length > 0 ? `; never happened: ${never.join(", ")}` : "";
}

function number(value: number, digits = 0): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: digits });
}
