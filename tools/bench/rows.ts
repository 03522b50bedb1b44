// From measurements to the rows of the table: which load is held against which, and what figure it is to reach. The
// figures are goals of the design, not tests: a bench never fails for being slow.
import type { Bill, StorageUse } from "./accounting.ts";
import { type Grown, LITTLE_RUNS } from "./growth.ts";
import type { Measured } from "./http-load.ts";
import type { Lag } from "./lag.ts";
import { alignedLines, type Row, shownNumber, type Target } from "./report.ts";
import { BATCH, IN_FLIGHT, type LoadName, type Turn } from "./rounds.ts";
import { median, ratiosOf, spreadOf } from "./stats.ts";

type Rounds = readonly Partial<Record<LoadName, Turn>>[];

/** How the table calls each load, and how many reports one of its requests carries. */
const LOADS: Record<LoadName, { words: string; reports: number }> = {
  empty: { words: "empty RPC call to the object", reports: 1 },
  door: { words: "the same requests around an empty call", reports: 1 },
  gauge: { words: "gauge read", reports: 1 },
  single: { words: "debits over HTTP, one per request", reports: 1 },
  socket: { words: "debits over sockets, one under way on each", reports: 1 },
  socketDeep: { words: `debits over sockets, ${IN_FLIGHT} under way on each`, reports: 1 },
  batch: { words: `debits in batches of ${BATCH}`, reports: BATCH },
  postgres: { words: "PostgreSQL, one call per request", reports: 1 },
  postgresBatch: { words: `PostgreSQL in batches of ${BATCH}`, reports: BATCH },
};

const CONTESTS: { load: LoadName; against: LoadName; target: Target | null }[] = [
  { load: "single", against: "empty", target: { atLeast: 0.75 } },
  { load: "single", against: "door", target: { atLeast: 0.75 } },
  { load: "single", against: "postgres", target: { atLeast: 2 } },
  { load: "batch", against: "postgres", target: { atLeast: 10 } },
  { load: "batch", against: "postgresBatch", target: null },
  { load: "socket", against: "single", target: { atLeast: 3 } },
  { load: "socketDeep", against: "single", target: { atLeast: 3 } },
  { load: "gauge", against: "empty", target: { atLeast: 0.8 } },
];

/** Throughput of one load over that of another, in reports per second. */
export function throughputRows(rounds: Rounds): Row[] {
  return CONTESTS.map(({ load, against, target }) => {
    const [over, under] = [perSecondOf(rounds, load), perSecondOf(rounds, against)];
    const row = { measure: LOADS[load].words, against: LOADS[against].words, unit: "×" as const, target };
    if (over === null || under === null) return { ...row, sides: "skipped: there is no PostgreSQL here", result: null };
    const sides = `${shownNumber(median(over))}/s : ${shownNumber(median(under))}/s${cpuOf(rounds, load, against)}`;
    return { ...row, sides, result: ratiosOf(over, under) };
  });
}

/** Answers per second of single debits in the middle round. */
export function singlesPerSecond(rounds: Rounds): number {
  return median(perSecondOf(rounds, "single") as number[]);
}

export function latencyRow(rounds: readonly { empty: Measured; single: Measured }[], perSecond: number): Row {
  const slow = rounds.map(({ single }) => single.p99Ms);
  const middle = rounds.map(({ empty }) => empty.p50Ms);
  return {
    measure: `p99 of a debit at half the load, ${shownNumber(perSecond)}/s`,
    against: "p50 of the empty call at that rate",
    sides: `${shownNumber(median(slow))} ms : ${shownNumber(median(middle))} ms`,
    result: ratiosOf(slow, middle),
    unit: "×",
    target: { atMost: 6 },
  };
}

export function growthRows(pages: readonly Grown[], debits: [number, number][] | null, muchRuns: number): Row[] {
  const after = `after ${shownCount(muchRuns)} runs`;
  const against = `after ${shownCount(LITTLE_RUNS)}`;
  const rows = pages.flatMap(({ name, timesMs, rowsRead }): Row[] => {
    const [little, much] = [timesMs.map(([time]) => time), timesMs.map(([, time]) => time)];
    return [
      {
        measure: `time of ${name} ${after}`,
        against,
        sides: `${shownNumber(median(much))} ms : ${shownNumber(median(little))} ms`,
        result: ratiosOf(much, little),
        unit: "×",
        target: { atMost: 1.2 },
      },
      {
        measure: `D1 rows read by ${name} ${after}`,
        against,
        sides: `${rowsRead[1]} : ${rowsRead[0]}`,
        result: rowsRead[0] + rowsRead[1] === 0 ? null : spreadOf([rowsRead[1] / rowsRead[0]]),
        unit: "×",
        target: rowsRead[0] + rowsRead[1] === 0 ? null : { atMost: 1 },
      },
    ];
  });
  if (debits === null) return rows;
  const [little, much] = [debits.map(([rate]) => rate), debits.map(([, rate]) => rate)];
  const sides = `${shownNumber(median(much))}/s : ${shownNumber(median(little))}/s`;
  const measure = `debits over HTTP ${after.replace("runs", "meters")} in the object`;
  return [...rows, { measure, against, sides, result: ratiosOf(much, little), unit: "×", target: null }];
}

export function lagRows(lag: Lag, watched: Lag, perSecond: number): Row[] {
  const row = (measure: string, against: string, p50Ms: number, highMs: number, atMost: number): Row => ({
    measure,
    against,
    sides: `p50 ${shownNumber(p50Ms)} ms`,
    result: spreadOf([highMs]),
    unit: "ms",
    target: { atMost },
  });
  return [
    row(`projection lag at ${perSecond} debits/s, p99`, "–", lag.copyP50Ms, lag.copyP99Ms, 5_000),
    row("projection lag while someone watches, p99", "–", watched.copyP50Ms, watched.copyP99Ms, 1_000),
    row(
      "from debit to the watcher's socket, p95",
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
      sides: `${shownCount(meters)} meters`,
      result: spreadOf([value]),
      unit: "bytes",
      target: null,
    };
  };
  return [
    row("storage per meter in the object", bytes.bytesPerMeter),
    row("storage per run in the object, with its entry", bytes.bytesPerRunInObject),
    row("storage per run in D1, with its entry", bytes.bytesPerRunInCopy),
  ];
}

const WAYS: Record<Bill["way"], string> = {
  alone: "a single run, one debit per projection",
  single: "100 runs, one report per request",
  socket: "100 runs over sockets",
  batch: "100 runs in one batch",
};

/** Rows written per debit and list prices of a million debits, as lines of a second table. */
export function billTable(bills: readonly Bill[]): string {
  const lines = bills.map(({ way, objectRows, copyRows, requestsUsd, rowsUsd, durationUsd, totalUsd }) => [
    WAYS[way],
    ...[objectRows, copyRows, requestsUsd, rowsUsd, durationUsd, totalUsd].map(shownNumber),
  ]);
  return alignedLines([
    [
      "of a million debits at list prices",
      "rows/debit, object",
      "rows/debit, D1",
      "requests $",
      "rows $",
      "duration $",
      "all $",
    ],
    ...lines,
  ]);
}

function perSecondOf(rounds: Rounds, load: LoadName): number[] | null {
  const turns = rounds.flatMap((round) => round[load] ?? []);
  return turns.length === 0 ? null : turns.map(({ perSecond }) => perSecond * LOADS[load].reports);
}

/** CPU time moves less than speed does on a machine that others use as well. */
function cpuOf(rounds: Rounds, load: LoadName, against: LoadName): string {
  const cpu = [load, against].map((name) => {
    const times = rounds.flatMap((round) => round[name]?.cpuMs ?? []);
    return times.length === 0 ? null : median(times) / LOADS[name].reports;
  });
  return cpu.includes(null) ? "" : ` (${cpu.map((ms) => (ms as number).toFixed(3)).join(" : ")} ms CPU)`;
}

function shownCount(count: number): string {
  return count.toLocaleString("en-US");
}
