// The command line of `npm run bench`.
import { parseOptions, UsageError } from "../kit/failures.mjs";
import { LOAD_NAMES, type LoadName } from "./rounds.ts";

export const BENCH_HELP = `npm run bench -- [options]

  --quick          under a minute, fewer rounds and a shorter history
  --json FILE      where the results go (default: bench-results/latest.json)
  --dir DIR        where the state lies while the bench runs (default: a directory of the system's for temporary files);
                   it should be on a disk
  --profile LOAD   no table: a CPU profile of the Worker under one load: empty, door, gauge, single,
                   socket, socketDeep or batch
  --watchers       only what watchers and a webhook receiver that never answers cost a debit
  --help           this text`;

/** How long and how often to measure. */
export interface Plan {
  rounds: number;
  measureMs: number;
  latencyRounds: number;
  lagMs: number;
  /** Requests of a page on each side, in each round. */
  pageRequests: number;
  historyRuns: number;
}

export interface BenchOptions {
  quick: boolean;
  plan: Plan;
  json: string;
  dir: string | null;
  profile: LoadName | null;
  watchers: boolean;
}

const FULL: Plan = {
  rounds: 5,
  measureMs: 3_000,
  latencyRounds: 4,
  lagMs: 15_000,
  pageRequests: 40,
  historyRuns: 1_000_000,
};

const QUICK: Plan = {
  rounds: 2,
  measureMs: 600,
  latencyRounds: 1,
  lagMs: 2_500,
  pageRequests: 8,
  historyRuns: 100_000,
};

/** The options, or null when help is asked for. */
export function parseBenchOptions(args: string[]): BenchOptions | null {
  const { values } = parseOptions("npm run bench", {
    args,
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "string", default: "bench-results/latest.json" },
      dir: { type: "string" },
      profile: { type: "string" },
      watchers: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const { quick, json, dir = null, watchers } = values;
  const profile = LOAD_NAMES.find((name) => name === values.profile && !name.startsWith("postgres")) ?? null;
  if (values.profile !== undefined && profile === null)
    throw new UsageError(`There is no load "${values.profile}". See "npm run bench -- --help".`);
  return { quick, plan: quick ? QUICK : FULL, json, dir, profile, watchers };
}
