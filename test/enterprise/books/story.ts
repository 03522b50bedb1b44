/**
 * What happens to an enterprise, as plain events that both the reference model and the real ledger apply, and the view
 * in which both are compared afterwards. It contains the rules of neither side.
 */
export type Kinds = { input: number; output: number; cache_read: number; cache_write: number };
export type ListPrice = { creditsPerUsd: number; rates: Kinds };
export type Unit = "credits" | "usd";

export type ReportEvent = {
  type: "report";
  run: string;
  user: string;
  /** The name that the agent used, the model of the price book, and its price; null if the book does not have it. */
  name: string;
  model: string;
  price: ListPrice | null;
  tokens: Kinds;
  final: boolean;
  startedAtMs: number;
};

export type Event =
  | { type: "clock"; toMs: number }
  | ReportEvent
  | { type: "start"; run: string; user: string; holdMicros: number | null; ttlMs: number | null }
  | { type: "release"; run: string }
  | { type: "grant"; id: string; amountMicros: number; expiresAtMs: number | null }
  | { type: "void"; id: string }
  | { type: "allowance"; micros: number }
  | { type: "cap"; micros: number | null }
  | { type: "billing"; model: "credits" | "byom" }
  | { type: "suspend"; suspended: boolean }
  | { type: "calendar"; timeZone: string; anchorDay: number };

export type Opening = {
  atMs: number;
  billingModel: "credits" | "byom";
  allowanceMicros: number;
  timeZone: string;
  anchorDay: number;
};

/** The answer to an event, for an agent or operator, or the code of a refusal. */
export type Answer = string | Record<string, number | string | boolean | null> | null;

type DrawView = { bucket: string; id: string | number; cycle: number; micros: number; lapsed: number };
type MeterView = {
  run: string;
  model: string;
  unit: Unit;
  tokens: Kinds;
  final: boolean;
  charged: number;
  draws: DrawView[];
};

/** Everything that can be seen of an enterprise. */
export type View = {
  cycle: { startsAtMs: number; endsAtMs: number };
  gauge: {
    unit: Unit;
    used: number;
    total: number | null;
    remaining: number | null;
    debt: number;
    held: number;
    available: number | null;
    percent: number | null;
    monthly: { allowance: number; used: number; remaining: number } | null;
    bonus: { used: number; remaining: number; nextExpiry: { atMs: number; micros: number } | null } | null;
    spend: { cap: number | null; used: number } | null;
  };
  grants: { id: string; drawn: number; remaining: number; state: string }[];
  meters: MeterView[];
  holds: { run: string; unit: Unit; micros: number; endsAtMs: number }[];
  entries: { type: string; atMs: number; micros: number }[];
};

/** Adjacent draws on one bucket become one draw; a draw that was refunded completely is left out. */
export function mergeDraws(draws: readonly DrawView[]): DrawView[] {
  const merged: DrawView[] = [];
  for (const draw of draws) {
    const last = merged.at(-1);
    if (draw.micros === 0 && draw.lapsed === 0) continue;
    if (last?.bucket === draw.bucket && last.id === draw.id && last.cycle === draw.cycle) {
      last.micros += draw.micros;
      last.lapsed += draw.lapsed;
    } else merged.push({ ...draw });
  }
  return merged;
}
