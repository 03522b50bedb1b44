/**
 * The usage kinds: what is counted and priced (rule R1). Kinds are disjoint. Everything that lists kinds is derived from
 * this table: schemas, columns, receipts, price-book entries and client types. The order is the order in which kinds are
 * shown and in which ties are broken.
 */

/** What a rate is stated for: a million tokens, or a thousand searches. */
type RateUnit = "million" | "thousand";

type KindRow = {
  /** The kind's name, which is also the name of its rate in a price book. */
  kind: string;
  /** The field in a report's and a receipt's `usage`. */
  field: string;
  /** The unit of its rate: USD per million tokens or per thousand searches. */
  per: RateUnit;
  /** The kind whose rate applies if none is listed; null: searches then cost nothing, input and output are required. */
  fallback: string | null;
};

const TABLE = [
  { kind: "input", field: "input_tokens", per: "million", fallback: null },
  { kind: "output", field: "output_tokens", per: "million", fallback: null },
  { kind: "cache_read", field: "cache_read_tokens", per: "million", fallback: "input" },
  { kind: "cache_write", field: "cache_write_tokens", per: "million", fallback: "input" },
  { kind: "cache_write_1h", field: "cache_write_1h_tokens", per: "million", fallback: "cache_write" },
  { kind: "input_audio", field: "input_audio_tokens", per: "million", fallback: "input" },
  { kind: "cache_audio_read", field: "cache_audio_read_tokens", per: "million", fallback: "cache_read" },
  { kind: "output_audio", field: "output_audio_tokens", per: "million", fallback: "output" },
  { kind: "input_image", field: "input_image_tokens", per: "million", fallback: "input" },
  { kind: "cache_image_read", field: "cache_image_read_tokens", per: "million", fallback: "cache_read" },
  { kind: "output_image", field: "output_image_tokens", per: "million", fallback: "output" },
  { kind: "web_searches", field: "web_searches", per: "thousand", fallback: null },
  { kind: "storage_searches", field: "storage_searches", per: "thousand", fallback: null },
] as const satisfies readonly KindRow[];

export type Kind = (typeof TABLE)[number]["kind"];
/** The name of a kind in `usage`. */
export type UsageField = (typeof TABLE)[number]["field"];

/** All kinds, in the order of rule R1. */
export const KINDS: readonly { kind: Kind; field: UsageField; per: RateUnit; fallback: Kind | null }[] = TABLE;

/** How many of these units make the rate's unit as many micros: a rate per thousand counts a thousand times as much. */
export const RATE_FACTORS: Readonly<Record<Kind, number>> = byKind(({ per }) => (per === "million" ? 1 : 1_000));

/** Builds a record with one value for each kind. */
export function byKind<T>(value: (row: (typeof KINDS)[number]) => T): Record<Kind, T> {
  return Object.fromEntries(KINDS.map((row) => [row.kind, value(row)])) as Record<Kind, T>;
}
