// Parses the options of `npm run replay`. Pure: an argument list in, checked values out.
import { parseBaseUrl, parseOptions, UsageError } from "../kit/options.mjs";

export const REPLAY_HELP = `Usage: npm run replay -- FILE --to URL --enterprise E --key KEY [options]

Sends a trace of real LLM traffic (Azure CSV or Mooncake JSONL) as agents would report it. Then compares the cost
according to the price book with what the ledger charged. Exits with 1 if they differ or a report was refused.

  --to URL           where Fuelgauge runs, for example http://localhost:8787
  --enterprise E     the enterprise to charge
  --key KEY          a key with the scope debit (FUELGAUGE_KEY in the environment also works, and does not show in ps)
  --speed N          replay N times as fast as the trace (default: as fast as the server accepts)
  --model M          the model that all runs use (default claude-sonnet-4-5, or the price book's first model)
  --skip-bad         leave out lines that cannot be read and list them, instead of stopping at the first
  --chaos            drop, duplicate and reorder reports, and lose answers
  --batch N          send at most N reports per request, 1 to 1000 (default 100)
  --concurrency N    send at most N requests at once, 1 to 256 (default 8)
  --limit N          replay only the first N requests of the trace
  --seed N           repeat the random choices of an earlier replay, which printed its seed
  --help             show this help`;

/** The checked options. */
interface ReplayOptions {
  file: string;
  baseUrl: string;
  enterprise: string;
  key: string;
  /** How many times as fast as the trace; null means as fast as possible. */
  speedRatio: number | null;
  model: string | null;
  skipBad: boolean;
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
  "skip-bad": { type: "boolean" },
  chaos: { type: "boolean" },
  batch: { type: "string" },
  concurrency: { type: "string" },
  limit: { type: "string" },
  seed: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** Returns the checked options, or null if --help is given. `defaultSeed` is used if no --seed is given. */
export function parseReplayOptions(
  args: string[],
  environment: Record<string, string | undefined>,
  defaultSeed: number,
): ReplayOptions | null {
  const { values, positionals } = parseOptions("npm run replay", { args, options: OPTIONS, allowPositionals: true });
  if (values.help) return null;
  const [file, ...more] = positionals;
  if (!file) throw new UsageError('Name the trace file to replay. See "npm run replay -- --help".');
  if (more.length > 0) throw new UsageError(`Name one trace file only; "${more[0]}" is a second one.`);
  const key = values.key ?? environment.FUELGAUGE_KEY;
  if (!values.to) throw new UsageError("--to is missing: give the URL where Fuelgauge runs.");
  if (!values.enterprise) throw new UsageError("--enterprise is missing: give the enterprise to charge.");
  if (!key) throw new UsageError("--key is missing: give a key with the scope debit.");
  return {
    file,
    baseUrl: parseBaseUrl("--to", values.to),
    enterprise: values.enterprise,
    key,
    speedRatio: values.speed === undefined ? null : toSpeed(values.speed),
    model: values.model || null,
    skipBad: values["skip-bad"] ?? false,
    chaos: values.chaos ?? false,
    batch: toWhole("--batch", values.batch ?? "100", 1000),
    concurrency: toWhole("--concurrency", values.concurrency ?? "8", 256),
    limit: values.limit === undefined ? null : toWhole("--limit", values.limit, Number.MAX_SAFE_INTEGER),
    seed: values.seed === undefined ? defaultSeed : toWhole("--seed", values.seed, Number.MAX_SAFE_INTEGER, 0),
  };
}

function toWhole(name: string, text: string, max: number, min = 1): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new UsageError(`${name} is "${text}"; it must be a whole number from ${min} to ${max}.`);
}

function toSpeed(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new UsageError(`--speed is "${text}"; it must be a number above 0, for example 10 for ten times as fast.`);
}
