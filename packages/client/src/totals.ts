/** Pure arithmetic on running totals. The kinds are those of the interface's `usage`, in the interface's order. */
import type { Usage } from "./wire.ts";

/** The kinds of every report. The further kinds are present only if they are not 0. */
type MainKind = "input_tokens" | "output_tokens" | "cache_read_tokens" | "cache_write_tokens";

/** A usage in which the four main kinds are present. */
export type Totals = Usage & Required<Pick<Usage, MainKind>>;

export const KINDS = [
  "input_tokens",
  "output_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "cache_write_1h_tokens",
  "input_audio_tokens",
  "cache_audio_read_tokens",
  "output_audio_tokens",
  "input_image_tokens",
  "cache_image_read_tokens",
  "output_image_tokens",
  "web_searches",
  "storage_searches",
] as const satisfies readonly (keyof Usage)[];

/** The kinds that make up a call's prompt. */
const PROMPT_KINDS = KINDS.filter((kind) => /input|cache/.test(kind));

const MAX_QUANTITY = 1_000_000_000_000;

export const ZERO_TOTALS: Totals = { input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 };

/**
 * Reads a usage as the ledger does, and sets missing main kinds to 0. It never throws, because a model may be streaming.
 * What cannot be right keeps its total of `before`, and `wrong` describes it.
 */
export function readUsage(usage: unknown, before: Usage = ZERO_TOTALS): { totals: Totals; wrong: string | null } {
  const totals = { ...ZERO_TOTALS };
  const isObject = typeof usage === "object" && usage !== null;
  const given = (isObject ? usage : before) as Record<string, unknown>;
  let wrong = isObject ? null : `a usage must be an object, not ${String(usage)}`;
  const unknown = Object.keys(given).find((name) => !isKind(name) && given[name] !== undefined);
  for (const kind of KINDS) {
    // A kind that is missing may be the one with the wrong name, so its total stays.
    let quantity = given[kind] ?? (unknown === undefined ? 0 : before[kind]) ?? 0;
    if (!isQuantity(quantity)) {
      wrong ??= `${kind} must be an integer from 0 to 10^12, not ${String(quantity)}`;
      quantity = before[kind] ?? 0;
    }
    if (isQuantity(quantity) && quantity > 0) totals[kind] = quantity;
  }
  return { totals, wrong: wrong ?? (unknown === undefined ? null : describeUnknown(unknown)) };
}

function isQuantity(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_QUANTITY;
}

function isKind(name: string): boolean {
  return (KINDS as readonly string[]).includes(name);
}

function describeUnknown(name: string): string {
  const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return `${name} is not a kind of usage${isKind(snake) ? `: it is named ${snake}` : ""}`;
}

export function sumOf(all: Iterable<Usage>): Totals {
  const sum = { ...ZERO_TOTALS };
  for (const totals of all) {
    for (const kind of KINDS) {
      const quantity = totals[kind] ?? 0;
      if (quantity > 0) sum[kind] = (sum[kind] ?? 0) + quantity;
    }
  }
  return sum;
}

export function isSame(a: Usage, b: Usage): boolean {
  return KINDS.every((kind) => (a[kind] ?? 0) === (b[kind] ?? 0));
}

/** Returns the usage in the four main kinds, for a ledger that knows no others. It has no place for searches. */
export function inMainKinds(usage: Totals): Totals {
  const { input_audio_tokens = 0, input_image_tokens = 0, output_audio_tokens = 0, output_image_tokens = 0 } = usage;
  const { cache_audio_read_tokens = 0, cache_image_read_tokens = 0, cache_write_1h_tokens = 0 } = usage;
  return {
    input_tokens: usage.input_tokens + input_audio_tokens + input_image_tokens,
    output_tokens: usage.output_tokens + output_audio_tokens + output_image_tokens,
    cache_read_tokens: usage.cache_read_tokens + cache_audio_read_tokens + cache_image_read_tokens,
    cache_write_tokens: usage.cache_write_tokens + cache_write_1h_tokens,
  };
}

/** Returns the tokens of the prompt: the input and everything read from a cache or written to it. */
export function promptOf(usage: Usage): number {
  return PROMPT_KINDS.reduce((sum, kind) => sum + (usage[kind] ?? 0), 0);
}
