// What Cloudflare bills and stores: rows written per debit, counted at the statements themselves in a runtime of its
// own, what a million debits cost at list prices, and bytes per meter and per run, read from the database files.
import { DatabaseSync } from "node:sqlite";
import { databaseOfCopy, databaseOfObject } from "./history.ts";
import { HttpConnection } from "./http-load.ts";
import type { Runtime } from "./runtime.ts";
import { RawSocket, type SocketAddress } from "./socket-load.ts";
import { bearer, Reporter, requestBytes } from "./workload.ts";

/** List prices in USD of the Workers Paid plan beyond what it includes, read in November 2026. */
export const LIST_PRICES = {
  workerRequestsPerMillion: 0.3,
  objectRequestsPerMillion: 0.15,
  /** Twenty messages that come in over a socket count as one request. */
  messagesPerRequest: 20,
  rowsWrittenPerMillion: 1,
  rowsReadPerMillion: 0.001,
  gigabyteSecondsPerMillion: 12.5,
  objectGigabytes: 0.128,
};

/** How reports arrive; `alone` is a single run, whose every report is copied before the next one comes. */
type Way = "alone" | "single" | "socket" | "batch";

export interface Bill {
  way: Way;
  debits: number;
  /** Per debit: rows written in the object, alarms among them, and in D1. */
  objectRows: number;
  copyRows: number;
  /** Requests to the Worker and to the object that are billed, per debit. */
  workerRequests: number;
  objectRequests: number;
  /** USD per million debits: requests, rows, duration at 500 debits a second, and all of them. */
  requestsUsd: number;
  rowsUsd: number;
  durationUsd: number;
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

const ENTERPRISE = "billed";
const PATH = `/v1/enterprises/${ENTERPRISE}`;
const SENDERS = 32;
/** So many runs are under way; each reports once between two projections, as agents do that report every other second. */
const RUNS = 100;
const TICKS = 20;
const ALONE_TICKS = 30;
const DEBITS_PER_SECOND = 500;

/** Sends the same reports in each way, and counts. The runtime must count (variable COUNT). */
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

/** @param requests how many HTTP requests carry the reports of a tick; none: each comes as a message of a socket */
async function countWay(
  runtime: Runtime,
  way: Way,
  { runs, ticks, requests }: { runs: number; ticks: number; requests: number },
  send: (reports: string[]) => Promise<unknown>,
): Promise<Bill> {
  const reporter = new Reporter(way, runs);
  const sum = { ...NOTHING };
  for (let tick = 0; tick < ticks; tick++) {
    await send(Array.from({ length: runs }, () => reporter.next()));
    // Taking the counts does what the alarm does when its time has come.
    const counts = await takeCounts(runtime);
    for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += counts[name];
    sum.alarmsRun += 1;
  }
  return billOf(way, runs * ticks, requests * ticks, sum);
}

/** A socket for debits; `send` ends when all of its messages are answered. */
async function openStream(address: SocketAddress) {
  let unanswered = 0;
  let done: () => void = () => {};
  const fail = (error: Error) => {
    throw error;
  };
  const onReply = (text: string) => {
    if (text.includes('"status":')) fail(new Error(`a refusal: ${text}`));
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

/** Reads the files of the stopped runtime in which rows were counted. */
export function measureStorage(directory: string, objectId: string): StorageUse {
  const object = new DatabaseSync(databaseOfObject(directory, objectId), { readOnly: true });
  const copy = new DatabaseSync(databaseOfCopy(directory), { readOnly: true });
  const meters = rowsIn(object, "meters");
  const runs = rowsIn(object, "runs");
  const use = {
    meters,
    bytesPerMeter: bytesOf(object, "meters") / meters,
    bytesPerRunInObject: (bytesOf(object, "runs") + bytesOf(object, "entries")) / runs,
    bytesPerRunInCopy: (bytesOf(copy, "runs") + bytesOf(copy, "entries")) / rowsIn(copy, "runs"),
  };
  object.close();
  copy.close();
  return use;
}

const NOTHING: Counts = { rowsWritten: 0, rowsRead: 0, alarmsSet: 0, alarmsRun: 0, d1RowsWritten: 0, d1RowsRead: 0 };

async function takeCounts(runtime: Runtime): Promise<Counts> {
  return (await runtime.ask(`counts?${ENTERPRISE}`)).json() as Promise<Counts>;
}

function billOf(way: Way, debits: number, requests: number, counts: Counts): Bill {
  const prices = LIST_PRICES;
  const calls = requests > 0 ? requests : debits / prices.messagesPerRequest;
  const workerRequests = requests / debits;
  const objectRequests = (calls + counts.alarmsRun) / debits;
  // Each alarm that is set is billed as a row written.
  const objectRows = (counts.rowsWritten + counts.alarmsSet) / debits;
  const copyRows = counts.d1RowsWritten / debits;
  const rowsReadUsd = ((counts.rowsRead + counts.d1RowsRead) / debits) * prices.rowsReadPerMillion;
  const requestsUsd =
    workerRequests * prices.workerRequestsPerMillion + objectRequests * prices.objectRequestsPerMillion;
  const rowsUsd = (objectRows + copyRows) * prices.rowsWrittenPerMillion + rowsReadUsd;
  // An object that is called all the time is billed for all of it, in gigabyte-seconds.
  const durationUsd = (prices.objectGigabytes / DEBITS_PER_SECOND) * prices.gigabyteSecondsPerMillion;
  const totalUsd = requestsUsd + rowsUsd + durationUsd;
  return {
    way,
    debits,
    objectRows,
    copyRows,
    workerRequests,
    objectRequests,
    requestsUsd,
    rowsUsd,
    durationUsd,
    totalUsd,
  };
}

function rowsIn(db: DatabaseSync, table: string): number {
  return (db.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number }).rows;
}

/** Pages of a table and its indexes, without those that are free. */
function bytesOf(db: DatabaseSync, table: string): number {
  const statement = `SELECT sum(pgsize) AS bytes FROM dbstat WHERE name IN (SELECT name FROM sqlite_master WHERE tbl_name = ?)`;
  return (db.prepare(statement).get(table) as { bytes: number }).bytes;
}
