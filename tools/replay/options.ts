// The options of `npm run replay`. Pure: argument list in, checked values out.
import { parseArgs } from "node:util";

export const REPLAY_HELP = `npm run replay -- FILE --to URL --enterprise E --key KEY [options]

Plays a trace of LLM traffic (Azure CSV or Mooncake JSONL) as agents would report it, then compares what the price
book says it must cost with what the ledger charged. Exits with 1 on a difference or a refused report.

  --to URL           where Fuelgauge runs, for example http://localhost:8787
  --enterprise E     the enterprise that is charged
  --key KEY          a key with the scope debit (or set FUELGAUGE_KEY, which ps does not show)
  --speed N          N times as fast as the trace; without it as fast as the server takes it
  --model M          the model that the runs use (default claude-sonnet-4-5, or the first of the price book)
  --chaos            drop, duplicate and reorder reports and lose answers on the way
  --batch N          at most N reports in one request, 1 to 1000 (default 100)
  --concurrency N    at most N requests at once, 1 to 256 (default 8)
  --limit N          only the first N requests of the trace
  --seed N           repeats the random choices of an earlier replay
  --help             show this`;

/** Wrong usage; the message is for the person at the terminal. */
export class UsageError extends Error {}

/** What a replay is to do. */
interface ReplayOptions {
  file: string;
  baseUrl: string;
  enterprise: string;
  key: string;
  /** How many times as fast as the trace; null is as fast as possible. */
  speedRatio: number | null;
  model: string | null;
  chaos: boolean;
  batch: number;
  concurrency: number;
  limit: number | null;
  seed: number;
}

const OPTIONS = {
  to: { type: "string" },
  enterprise: { type: "string" },
  key: { type: "string" },
  speed: { type: "string" },
  model: { type: "string" },
  chaos: { type: "boolean" },
  batch: { type: "string" },
  concurrency: { type: "string" },
  limit: { type: "string" },
  seed: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** The checked options, or null when help is asked for. `freshSeed` is used when no seed is given. */
export function parseReplayOptions(
  args: string[],
  environment: Record<string, string | undefined>,
  freshSeed: number,
): ReplayOptions | null {
  const { values, positionals } = parseStrictly(args);
  if (values.help) return null;
  const [file, ...more] = positionals;
  if (!file) throw new UsageError("Name the trace file to replay. See npm run replay -- --help.");
  if (more.length > 0) throw new UsageError(`Name one trace file; "${more[0]}" is a second one.`);
  const key = values.key ?? environment.FUELGAUGE_KEY;
  if (!values.to) throw new UsageError("--to is missing: where does Fuelgauge run?");
  if (!values.enterprise) throw new UsageError("--enterprise is missing: which one is charged?");
  if (!key) throw new UsageError("--key is missing: a key with the scope debit.");
  return {
    file,
    baseUrl: toBaseUrl(values.to),
    enterprise: values.enterprise,
    key,
    speedRatio: values.speed === undefined ? null : toSpeed(values.speed),
    model: values.model || null,
    chaos: values.chaos ?? false,
    batch: toWhole("--batch", values.batch ?? "100", 1000),
    concurrency: toWhole("--concurrency", values.concurrency ?? "8", 256),
    limit: values.limit === undefined ? null : toWhole("--limit", values.limit, Number.MAX_SAFE_INTEGER),
    seed: values.seed === undefined ? freshSeed : toWhole("--seed", values.seed, Number.MAX_SAFE_INTEGER, 0),
  };
}

/** The origin of a URL as a person types it, without a path. */
export function toBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !["http:", "https:"].includes(url.protocol)) {
    throw new UsageError(`--to is "${text}"; give a URL such as http://localhost:8787.`);
  }
  return url.origin;
}

function parseStrictly(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error} See npm run replay -- --help.`);
  }
}

function toWhole(name: string, text: string, most: number, least = 1): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new UsageError(`${name} is "${text}"; give a whole number from ${least} to ${most}.`);
}

function toSpeed(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--speed is "${text}"; give a number above 0, for example 10 for ten times as fast.`);
}
