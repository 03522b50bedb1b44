/**
 * Runs and meters of the reference model (rules R1, R2 and R10): which meter a report means, how it joins, what that
 * costs as one exact sum, and whether it is still accepted.
 */
import type { StartRequest } from "../../src/ledger/admission.ts";
import type { Report } from "../../src/ledger/debit.ts";
import type { Price } from "../../src/ledger/prices.ts";
import type { Taker } from "./reference-money.ts";

/** What the simulated agents use. */
export const USED_KINDS = [
  ...(["input", "output", "cache_read", "cache_write"] as const),
  ...(["cache_write_1h", "input_audio", "web_searches"] as const),
] as const;
export type Tokens = Record<(typeof USED_KINDS)[number], number>;

/** Usage in which nothing is used but this. */
export function used(over: Partial<Tokens> = {}): Tokens {
  return { ...(Object.fromEntries(USED_KINDS.map((kind) => [kind, 0])) as Tokens), ...over };
}

export type ReferenceUnit = "credits" | "usd";

export type ReferenceMeter = Taker & {
  run: string;
  model: string;
  tier: string;
  aliases: Set<string>;
  unit: ReferenceUnit;
  /** Null while nothing prices its usage. */
  price: Price | null;
  /** When usage that had waited got a price; 0 for all other meters. */
  pricedMs: number;
  tokens: Tokens;
  final: boolean;
  /** True while an estimate was received and no exact final. */
  estimated: boolean;
  lastReportMs: number;
  /** True once the ledger has pruned it. */
  pruned: boolean;
};

export type ReferenceHold = { unit: ReferenceUnit; left: number; ttlMs: number; endsMs: number };

export type ReferenceRun = {
  run: string;
  surface: "web" | "cli";
  workspace: string;
  user: string;
  group: string | null;
  startedMs: number;
  reported: boolean;
  hold: ReferenceHold | null;
  /** When its last hold ended; 0 if it has had none. */
  holdEndedMs: number;
  /** True once its last open meter became final. */
  closed: boolean;
  meters: ReferenceMeter[];
};

export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;
const METER_RETENTION_MS = 35 * 86_400_000;
const WAITING_RETENTION_MS = 400 * 86_400_000;
const AHEAD_MS = 300_000;

/** Whether the ledger may have deleted a run that never reported, because it is 35 days old. */
export function maySilentRunEnd(run: ReferenceRun, nowMs: number): boolean {
  if (run.reported || run.hold !== null) return false;
  return nowMs - Math.max(run.startedMs, run.holdEndedMs) > METER_RETENTION_MS;
}

/** ceil(Σ quantity·rate ÷ 10^6, searches · 1,000), in credits times credits_per_usd and the multiplier, as one exact sum; Infinity if it exceeds the largest amount. Without a price, 0. */
export function costOf(tokens: Tokens, price: Price | null, unit: ReferenceUnit): number {
  if (price === null) return 0;
  let sum = 0n;
  for (const kind of USED_KINDS) {
    // The rate of searches is for a thousand of them, and that of tokens for a million.
    const factor = kind === "web_searches" ? 1_000n : 1n;
    sum += BigInt(tokens[kind]) * BigInt(price.rates[kind]) * factor;
  }
  if (unit === "credits") sum *= BigInt(price.creditsPerUsd) * BigInt(price.multiplierMillionths);
  const scale = unit === "credits" ? 1_000_000_000_000n : 1_000_000n;
  const micros = sum / scale + (sum % scale > 0n ? 1n : 0n);
  return micros > BigInt(MAX_AMOUNT) ? Number.POSITIVE_INFINITY : Number(micros);
}

export function totalOf(run: ReferenceRun, unit: ReferenceUnit): number {
  const meters = run.meters.filter((meter) => meter.unit === unit);
  return meters.reduce((sum, { tokens, price }) => sum + costOf(tokens, price, unit), 0);
}

export function join(
  meter: ReferenceMeter | undefined,
  report: Report,
): { tokens: Tokens; final: boolean; estimated: boolean } {
  const isExact = (one: { final: boolean; estimated: boolean }) => one.final && !one.estimated;
  const { final, estimated } = report;
  if (meter === undefined || (isExact(report) && !isExact(meter))) {
    return { tokens: used(report.usage), final, estimated };
  }
  if (isExact(meter) && !isExact(report)) return { tokens: meter.tokens, final: true, estimated: false };
  const kinds = Object.entries(meter.tokens) as [keyof Tokens, number][];
  const larger = kinds.map(([kind, known]) => [kind, Math.max(known, report.usage[kind] ?? 0)]);
  return {
    tokens: Object.fromEntries(larger) as Tokens,
    final: meter.final || final,
    estimated: meter.estimated || estimated,
  };
}

export function findMeter(run: ReferenceRun, report: Report, nowMs: number): ReferenceMeter | undefined {
  const meters = run.meters.filter(({ tier }) => tier === report.tier);
  const meter =
    meters.find((known) => known.aliases.has(report.reportedAs)) ??
    meters.find((known) => known.model === report.reportedAs) ??
    meters.find((known) => known.model === report.model);
  return meter !== undefined && isKept(meter, run, nowMs) ? meter : undefined;
}

export function isKept(meter: ReferenceMeter, run: Pick<ReferenceRun, "startedMs">, nowMs: number): boolean {
  const keptMs = meter.price === null ? WAITING_RETENTION_MS : METER_RETENTION_MS;
  return nowMs - Math.max(meter.lastReportMs, run.startedMs, meter.pricedMs) <= keptMs;
}

export function newMeter(report: Report, price: Price | null, unit: ReferenceUnit, nowMs: number): ReferenceMeter {
  const aliases = new Set(report.reportedAs === report.model ? [] : [report.reportedAs]);
  return {
    name: `${report.run} ${report.model} ${report.tier}`,
    run: report.run,
    model: report.model,
    tier: report.tier,
    aliases,
    unit,
    price,
    pricedMs: 0,
    tokens: used(),
    final: false,
    estimated: false,
    firstReportMs: nowMs,
    lastReportMs: nowMs,
    pruned: false,
    takings: [],
  };
}

export function openRun(said: Report | StartRequest): ReferenceRun | null {
  const { run, surface, workspace, user, startedAtMs: startedMs } = said;
  if (surface === undefined || workspace === undefined || user === undefined || startedMs === undefined) return null;
  const fresh = { reported: false, hold: null, holdEndedMs: 0, closed: false, meters: [] };
  return { run, surface, workspace, user, group: said.group ?? null, startedMs, ...fresh };
}

export function conflicts(run: ReferenceRun, said: Report | StartRequest): boolean {
  return (["workspace", "user", "surface"] as const).some((field) => (said[field] ?? run[field]) !== run[field]);
}

/** Why a run that started then, and claims to have started at `claimedMs`, is refused; null when it is accepted. */
export function startFault(
  startedMs: number,
  claimedMs: number | undefined,
  nowMs: number,
): "run_too_old" | "started_in_future" | null {
  if (nowMs - Math.min(startedMs, claimedMs ?? startedMs) > METER_RETENTION_MS) return "run_too_old";
  return startedMs - nowMs > AHEAD_MS ? "started_in_future" : null;
}
