// Turns measurements into rows of the table: which loads are compared, and which ratio is the target. Targets are goals
// of the design: the benchmark does not fail if one is missed.
import type { Bill, StorageUse } from "./accounting.ts";
import { type PageGrowth, SHORT_RUNS } from "./growth.ts";
import type { Measured } from "./http-load.ts";
import type { Lag } from "./lag.ts";
import { BATCH, IN_FLIGHT, type LoadName, type Turn } from "./load-runner.ts";
import { alignedLines, formatNumber, type Row, type Target } from "./report.ts";
import { median, ratiosOf, spreadOf } from "./stats.ts";

type Rounds = readonly Partial<Record<LoadName, Turn>>[];

/** The name of each load in the table, and how many reports a request has. */
const LOADS: Record<LoadName, { words: string; reports: number }> = {
  empty: { words: "empty RPC call to the object", reports: 1 },
  httpEmpty: { words: "the same requests around an empty call", reports: 1 },
  gauge: { words: "gauge read", reports: 1 },
  single: { words: "debits over HTTP, one per request", reports: 1 },
  socket: { words: "debits over sockets, one in flight on each", reports: 1 },
  socketDeep: { words: `debits over sockets, ${IN_FLIGHT} in flight on each`, reports: 1 },
  batch: { words: `debits in batches of ${BATCH}`, reports: BATCH },
  postgres: { words: "PostgreSQL, one call per request", reports: 1 },
  postgresBatch: { words: `PostgreSQL in batches of ${BATCH}`, reports: BATCH },
};

const COMPARISONS: { load: LoadName; against: LoadName; target: Target | null }[] = [
  { load: "single", against: "empty", target: { atLeast: 0.4 } },
  { load: "single", against: "httpEmpty", target: { atLeast: 0.7 } },
  { load: "single", against: "postgres", target: { atLeast: 1.6 } },
  { load: "batch", against: "postgres", target: { atLeast: 15 } },
  { load: "batch", against: "postgresBatch", target: null },
  { load: "socket", against: "single", target: { atLeast: 4 } },
  { load: "socketDeep", against: "single", target: { atLeast: 8 } },
  { load: "gauge", against: "empty", target: { atLeast: 0.7 } },
];

/** Compares the throughput of loads, in reports per second. */
export function throughputRows(rounds: Rounds): Row[] {
  return COMPARISONS.map(({ load, against, target }) => {
    const [ours, theirs] = [perSecondOf(rounds, load), perSecondOf(rounds, against)];
    const row = { measure: LOADS[load].words, against: LOADS[against].words, unit: "×" as const, target };
    if (ours === null || theirs === null) return { ...row, sides: "skipped: PostgreSQL was not found", result: null };
    const sides = `${formatNumber(median(ours))}/s : ${formatNumber(median(theirs))}/s${cpuOf(rounds, load, against)}`;
    return { ...row, sides, result: ratiosOf(ours, theirs) };
  });
}

/** The median number of single debits per second. */
export function singlesPerSecond(rounds: Rounds): number {
  return median(perSecondOf(rounds, "single") as number[]);
}

export function latencyRow(rounds: readonly { empty: Measured; single: Measured }[], perSecond: number): Row {
  const debitP99s = rounds.map(({ single }) => single.p99Ms);
  const emptyP50s = rounds.map(({ empty }) => empty.p50Ms);
  return {
    measure: `p99 of a debit at half the load, ${formatNumber(perSecond)}/s`,
    against: "p50 of the empty call at this rate",
    sides: `${formatNumber(median(debitP99s))} ms : ${formatNumber(median(emptyP50s))} ms`,
    result: ratiosOf(debitP99s, emptyP50s),
    unit: "×",
    target: { atMost: 40 },
  };
}

export function growthRows(
  { name, timesMs, rowsRead }: PageGrowth,
  debits: [number, number][],
  longRuns: number,
): Row[] {
  const after = `after ${formatCount(longRuns)}`;
  const against = `after ${formatCount(SHORT_RUNS)}`;
  const [shortRows, longRows] = rowsRead;
  const byRound = (pairs: [number, number][]) =>
    [pairs.map(([short]) => short), pairs.map(([, long]) => long)] as const;
  const [shortMs, longMs] = byRound(timesMs);
  const [shortDebits, longDebits] = byRound(debits);
  return [
    {
      measure: `time of ${name} ${after} runs`,
      against,
      sides: `${formatNumber(median(longMs))} ms : ${formatNumber(median(shortMs))} ms`,
      result: ratiosOf(longMs, shortMs),
      unit: "×",
      target: { atMost: 1.2 },
    },
    {
      measure: `D1 rows read by ${name} ${after} runs`,
      against,
      sides: `${longRows} : ${shortRows}`,
      result: spreadOf([longRows / shortRows]),
      unit: "×",
      target: { atMost: 1 },
    },
    {
      measure: `debits over HTTP ${after} meters in the object`,
      against,
      sides: `${formatNumber(median(longDebits))}/s : ${formatNumber(median(shortDebits))}/s`,
      result: ratiosOf(longDebits, shortDebits),
      unit: "×",
      target: null,
    },
  ];
}

export function lagRows(lag: Lag, watched: Lag, perSecond: number): Row[] {
  const row = (measure: string, against: string, p50Ms: number, highMs: number, atMost: number): Row => ({
    measure,
    against,
    sides: `p50 ${formatNumber(p50Ms)} ms`,
    result: spreadOf([highMs]),
    unit: "ms",
    target: { atMost },
  });
  return [
    row(`projection lag at ${perSecond} debits/s, p99`, "–", lag.copyP50Ms, lag.copyP99Ms, 5_000),
    row("projection lag while someone watches, p99", "–", watched.copyP50Ms, watched.copyP99Ms, 1_000),
    row(
      "time from a debit to the watcher's socket, p95",
      "–",
      watched.liveP50Ms as number,
      watched.liveP95Ms as number,
      1_000,
    ),
  ];
}

export function storageRows({ meters, ...bytes }: StorageUse): Row[] {
  const row = (measure: string, value: number): Row => {
    return {
      measure,
      against: "–",
      sides: `${formatCount(meters)} meters`,
      result: spreadOf([value]),
      unit: "bytes",
      target: null,
    };
  };
  return [
    row("storage per meter in the object", bytes.bytesPerMeter),
    row("storage per run in the object, with its entry", bytes.bytesPerRunInObject),
    row("storage per run in D1, with its models", bytes.bytesPerRunInCopy),
  ];
}

const WAYS: Record<Bill["way"], string> = {
  alone: "a single run, each debit projected separately",
  single: "100 runs, one report per request",
  socket: "100 runs over sockets",
  batch: "100 runs in one batch",
};

/** Formats the rows written per debit and the price of a million debits as a second table. */
export function billTable(bills: readonly Bill[]): string {
  const lines = bills.map(({ way, objectRows, copyRows, requestsUsd, rowsUsd, durationUsd, logsUsd, totalUsd }) => [
    WAYS[way],
    ...[objectRows, copyRows, requestsUsd, rowsUsd, durationUsd, logsUsd, totalUsd].map(formatNumber),
  ]);
  return alignedLines([
    [
      "a million debits at list prices",
      "rows/debit, object",
      "rows/debit, D1",
      "requests $",
      "rows $",
      "duration $",
      "logs $",
      "total $",
    ],
    ...lines,
  ]);
}

/** Formats the rows per debit that each statement writes, one column for each way. */
export function statementTable(bills: readonly Bill[]): string {
  const names = [...new Set(bills.flatMap(({ statements }) => statements.map(([name]) => name)))];
  const rowsOf = ({ statements }: Bill, name: string) => statements.find(([other]) => other === name)?.[1] ?? 0;
  return alignedLines([
    ["rows written per debit by each statement", ...bills.map(({ way }) => WAYS[way])],
    ...names.map((name) => [name, ...bills.map((bill) => rowsOf(bill, name).toFixed(3))]),
  ]);
}

function perSecondOf(rounds: Rounds, load: LoadName): number[] | null {
  const turns = rounds.flatMap((round) => round[load] ?? []);
  return turns.length === 0 ? null : turns.map(({ perSecond }) => perSecond * LOADS[load].reports);
}

/** The CPU time per report of both loads, which varies less than throughput on a busy machine. */
function cpuOf(rounds: Rounds, load: LoadName, against: LoadName): string {
  const cpu = [load, against].map((name) => {
    const times = rounds.flatMap((round) => round[name]?.cpuMs ?? []);
    return times.length === 0 ? null : median(times) / LOADS[name].reports;
  });
  return cpu.includes(null) ? "" : ` (${cpu.map((ms) => (ms as number).toFixed(3)).join(" : ")} ms CPU)`;
}

function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}
