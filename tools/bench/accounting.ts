// Computes what Cloudflare bills and stores: rows written per debit, counted at each statement in a separate runtime; the
// price of a million debits at list prices; and the bytes per meter and per run, read from the database files.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ROOT } from "../install.mjs";
import { databaseOfCopy, databaseOfObject } from "../workerd/database-files.ts";
import { bearer, HttpConnection, requestBytes } from "../workerd/http-connection.ts";
import { RawSocket, type SocketAddress } from "../workerd/raw-socket.ts";
import type { Runtime } from "../workerd/runtime.ts";
import { Reporter } from "./workload.ts";

/** List prices of the Workers Paid plan in USD, beyond what it includes, as of November 2026. */
export const LIST_PRICES = {
  workerRequestsPerMillion: 0.3,
  objectRequestsPerMillion: 0.15,
  /** Twenty incoming messages of a socket count as one request. */
  messagesPerRequest: 20,
  rowsWrittenPerMillion: 1,
  rowsReadPerMillion: 0.001,
  gigabyteSecondsPerMillion: 12.5,
  logEventsPerMillion: 0.6,
  objectGigabytes: 0.128,
};

/** How reports arrive. `alone` is a single run whose every report is projected before the next one arrives. */
type Way = "alone" | "single" | "socket" | "batch";

export interface Bill {
  way: Way;
  debits: number;
  /** Rows written per debit in the object, alarms included, and in D1. */
  objectRows: number;
  copyRows: number;
  /** Rows written per debit by each statement, the most first. */
  statements: [name: string, rows: number][];
  /** Billed requests per debit, to the Worker and to the object. */
  workerRequests: number;
  objectRequests: number;
  /** USD per million debits for requests, rows, duration at 500 debits a second, logs, and in total. */
  requestsUsd: number;
  rowsUsd: number;
  durationUsd: number;
  logsUsd: number;
  totalUsd: number;
}

interface Counts {
  rowsWritten: number;
  rowsRead: number;
  alarmsSet: number;
  alarmsRun: number;
  d1RowsWritten: number;
  d1RowsRead: number;
}

type Statements = Record<string, number>;

const ENTERPRISE = "billed";
const PATH = `/v1/enterprises/${ENTERPRISE}`;
const SENDERS = 32;
/** How many runs are open. Each reports once between two projections, as agents do that report every two seconds. */
const RUNS = 100;
const TICKS = 20;
const ALONE_TICKS = 30;
const DEBITS_PER_SECOND = 500;

/** Sends the same reports in each way and counts rows. The runtime must count (variable COUNT). */
export async function countRows(runtime: Runtime): Promise<Bill[]> {
  const key = await runtime.provision(ENTERPRISE);
  await takeCounts(runtime);
  const connections = await Promise.all(Array.from({ length: SENDERS }, () => HttpConnection.open(runtime.port)));
  const post = (connection: HttpConnection, body: string) =>
    connection.send(requestBytes("POST", `${PATH}/debits`, bearer(key), body));
  const [first] = connections as [HttpConnection];
  const streams = await Promise.all(
    Array.from({ length: SENDERS }, () => openStream({ port: runtime.port, path: `${PATH}/debits/stream`, key })),
  );
  const share = (reports: string[], sender: number) => reports.filter((_, i) => i % SENDERS === sender);
  const bills = [
    await countWay(runtime, "alone", { runs: 1, ticks: ALONE_TICKS, requests: 1 }, ([report]) =>
      post(first, report as string),
    ),
    await countWay(runtime, "single", { runs: RUNS, ticks: TICKS, requests: RUNS }, (reports) =>
      Promise.all(
        connections.map(async (connection, sender) => {
          for (const report of share(reports, sender)) await post(connection, report);
        }),
      ),
    ),
    await countWay(runtime, "socket", { runs: RUNS, ticks: TICKS, requests: 0 }, (reports) =>
      Promise.all(streams.map((stream, sender) => stream.send(share(reports, sender)))),
    ),
    await countWay(runtime, "batch", { runs: RUNS, ticks: TICKS, requests: 1 }, (reports) =>
      post(first, `{"reports":[${reports.join(",")}]}`),
    ),
  ];
  for (const closed of [...connections, ...streams]) closed.close();
  return bills;
}

/** @param requests how many HTTP requests carry the reports of a tick; 0 if each is a message of a socket */
async function countWay(
  runtime: Runtime,
  way: Way,
  { runs, ticks, requests }: { runs: number; ticks: number; requests: number },
  send: (reports: string[]) => Promise<unknown>,
): Promise<Bill> {
  const reporter = new Reporter(way, runs);
  const sum = { ...NOTHING };
  const rowsOf: Statements = {};
  for (let tick = 0; tick < ticks; tick++) {
    await send(Array.from({ length: runs }, () => reporter.next()));
    // Taking the counts also runs the alarm's work.
    const { statements, ...counts } = await takeCounts(runtime);
    for (const [name, rows] of Object.entries(statements)) rowsOf[name] = (rowsOf[name] ?? 0) + rows;
    for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += counts[name];
    sum.alarmsRun += 1;
  }
  return billOf(way, runs * ticks, requests * ticks, sum, rowsOf);
}

/** Opens a socket for debits. Its `send` resolves when all messages are answered. */
async function openStream(address: SocketAddress) {
  let unanswered = 0;
  let done: () => void = () => {};
  const fail = (error: Error) => {
    throw error;
  };
  const onReply = (text: string) => {
    if (text.includes('"status":')) fail(new Error(`a report was refused: ${text}`));
    unanswered -= 1;
    if (unanswered === 0) done();
  };
  const socket = new RawSocket(address, onReply, fail);
  await socket.opened;
  return {
    send: (reports: string[]) =>
      new Promise<void>((resolve) => {
        unanswered = reports.length;
        done = resolve;
        for (const [id, report] of reports.entries()) socket.send(`{"id":${id},${report.slice(1)}`);
      }),
    close: () => socket.close(),
  };
}

/** Bytes on disk, indexes included. */
export interface StorageUse {
  meters: number;
  bytesPerMeter: number;
  bytesPerRunInObject: number;
  bytesPerRunInCopy: number;
}

/** Reads the files of the runtime in which rows were counted, after it has stopped. */
export function measureStorage(directory: string, objectId: string): StorageUse {
  const object = new DatabaseSync(databaseOfObject(directory, objectId), { readOnly: true });
  const copy = new DatabaseSync(databaseOfCopy(directory), { readOnly: true });
  const meters = rowsIn(object, "meters");
  const runs = rowsIn(object, "runs");
  const use = {
    meters,
    bytesPerMeter: bytesOf(object, "meters") / meters,
    bytesPerRunInObject: (bytesOf(object, "runs") + bytesOf(object, "entries")) / runs,
    bytesPerRunInCopy: (bytesOf(copy, "runs") + bytesOf(copy, "run_models")) / rowsIn(copy, "runs"),
  };
  object.close();
  copy.close();
  return use;
}

const NOTHING: Counts = { rowsWritten: 0, rowsRead: 0, alarmsSet: 0, alarmsRun: 0, d1RowsWritten: 0, d1RowsRead: 0 };

async function takeCounts(runtime: Runtime): Promise<Counts & { statements: Statements }> {
  return (await runtime.ask(`counts?${ENTERPRISE}`)).json() as Promise<Counts & { statements: Statements }>;
}

function billOf(way: Way, debits: number, requests: number, counts: Counts, rowsOf: Statements): Bill {
  const prices = LIST_PRICES;
  const calls = requests > 0 ? requests : debits / prices.messagesPerRequest;
  const workerRequests = requests / debits;
  const objectRequests = (calls + counts.alarmsRun) / debits;
  // Setting an alarm is billed as one row written.
  const objectRows = (counts.rowsWritten + counts.alarmsSet) / debits;
  const copyRows = counts.d1RowsWritten / debits;
  const rowsReadUsd = ((counts.rowsRead + counts.d1RowsRead) / debits) * prices.rowsReadPerMillion;
  const requestsUsd =
    workerRequests * prices.workerRequestsPerMillion + objectRequests * prices.objectRequestsPerMillion;
  const rowsUsd = (objectRows + copyRows) * prices.rowsWrittenPerMillion + rowsReadUsd;
  // An object that is called all the time is billed for the whole time, in gigabyte-seconds.
  const durationUsd = (prices.objectGigabytes / DEBITS_PER_SECOND) * prices.gigabyteSecondsPerMillion;
  // A debit logs nothing itself.
  const logsUsd = logsInvocations() ? (workerRequests + objectRequests) * prices.logEventsPerMillion : 0;
  const totalUsd = requestsUsd + rowsUsd + durationUsd + logsUsd;
  return {
    way,
    debits,
    objectRows,
    copyRows,
    statements: Object.entries({ ...rowsOf, "object: set the alarm": counts.alarmsSet })
      .map(([name, rows]): [string, number] => [name, rows / debits])
      .sort(([, a], [, b]) => b - a),
    workerRequests,
    objectRequests,
    requestsUsd,
    rowsUsd,
    durationUsd,
    logsUsd,
    totalUsd,
  };
}

/** Whether Cloudflare logs each invocation of the Worker and of an object. */
function logsInvocations(): boolean {
  return !readFileSync(join(ROOT, "wrangler.toml"), "utf8").includes("invocation_logs = false");
}

function rowsIn(db: DatabaseSync, table: string): number {
  return (db.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number }).rows;
}

/** The size of a table's pages and its indexes, without free pages. */
function bytesOf(db: DatabaseSync, table: string): number {
  const statement = `SELECT sum(pgsize) AS bytes FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = ?)`;
  return (db.prepare(statement).get(table) as { bytes: number }).bytes;
}
