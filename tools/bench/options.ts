// Parses the options of `npm run bench`. Pure: an argument list in, checked values out.
import { parseOptions, UsageError } from "../kit/options.mjs";
import { LOAD_NAMES, type LoadName } from "./load-runner.ts";

const PROFILED_LOADS = LOAD_NAMES.filter((name) => !name.startsWith("postgres"));

export const BENCH_HELP = `Usage: npm run bench -- [options]

Measures Fuelgauge on this machine and prints a table. Takes about thirteen minutes.

  --quick          measure for about four minutes, with fewer rounds and a shorter history
  --json FILE      write the results to FILE (default bench-results/latest.json)
  --dir DIR        keep the state in DIR meanwhile; it should be on a disk (default: the system's temporary folder)
  --markdown       also print the table as docs/benchmarks.md has it
  --profile LOAD   print a CPU profile of the Worker under one load instead of the table:
                   ${PROFILED_LOADS.join(", ")}
  --watchers       measure only what watchers and a webhook receiver that never answers cost a debit
  --pages          measure only what a hundred open usage pages cost a debit
  --bill           count only what a million debits cost, and the rows that each statement writes
  --apart          measure only debits with D1 in its own process, as on Cloudflare
  --control        measure only what budgets and channels cost a debit and a start
  --help           show this help`;

/** How long and how often to measure. */
export interface Plan {
  rounds: number;
  measureMs: number;
  latencyRounds: number;
  lagMs: number;
  /** Page requests per side and round. */
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
  pages: boolean;
  apart: boolean;
  /** Also print the table for the documentation. */
  markdown: boolean;
  control: boolean;
  bill: boolean;
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

/** Returns the options, or null if --help is given. */
export function parseBenchOptions(args: string[]): BenchOptions | null {
  const { values } = parseOptions("npm run bench", {
    args,
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "string", default: "bench-results/latest.json" },
      dir: { type: "string" },
      profile: { type: "string" },
      watchers: { type: "boolean", default: false },
      pages: { type: "boolean", default: false },
      apart: { type: "boolean", default: false },
      markdown: { type: "boolean", default: false },
      control: { type: "boolean", default: false },
      bill: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return null;
  const { quick, json, dir = null, watchers, pages, apart, markdown, control, bill } = values;
  const profile = PROFILED_LOADS.find((name) => name === values.profile) ?? null;
  if (values.profile !== undefined && profile === null)
    throw new UsageError(`There is no load "${values.profile}". See "npm run bench -- --help".`);
  return { quick, plan: quick ? QUICK : FULL, json, dir, profile, watchers, pages, apart, markdown, control, bill };
}
