// Measures how much open usage pages slow debits down. A page here is what a browser's page is for the server: a live
// socket, and at most one request a second, every second one of them for all regions. Debits arrive at a steady rate, in
// turns with no page open, with the pages of another enterprise, and with the pages of the same one. The objects run in
// one process. Another one, which waits for the first when both need the processor, renders the pages and has D1: on
// Cloudflare, both are on other machines than the object.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bearer, HttpConnection, requestBytes } from "../workerd/http-connection.ts";
import { RawSocket } from "../workerd/raw-socket.ts";
import { Runtime } from "../workerd/runtime.ts";
import { type Measured, runOpen } from "./http-load.ts";
import { formatNumber, type Row } from "./report.ts";
import { median, ratiosOf, spreadOf } from "./stats.ts";
import { Reporter } from "./workload.ts";

const PAGES = 100;
const REFRESH_MS = 1_000;
const CONNECTIONS = 16;
const LEAD_MS = 1_000;
const ENTERPRISE = "bench";
const OTHER = "pages-elsewhere";
const PATH = "/settings/usage";
const PARTS = ["now", "now,selection,chart,workspace,group,user,model,runs"] as const;

/** What the pages of a turn asked for. */
type Asked = {
  /** Requests that were answered, and per second. */
  requests: number;
  requestsPerSecond: number;
  /** Calls of the enterprise's object, by method. */
  objectCalls: Record<string, number>;
};

/** Debits of one turn, and the CPU milliseconds of the objects' process per second; null if they are unknown. */
type Turn = Measured & { cpuMsPerSecond: number | null };

interface PagesRound {
  alone: Turn;
  elsewhere: Turn;
  watched: Turn;
  asked: Asked;
}

interface PagesPlan {
  perSecond: number;
  rounds: number;
  measureMs: number;
}

/** The two processes. */
type Processes = { objects: Runtime; pages: Runtime };

/**
 * Starts both processes. Every runtime is passed to `onStart` before it starts, so that the caller can stop it.
 * @param directory the folder of their state
 */
async function startProcesses(bundle: string, directory: string, onStart: (runtime: Runtime) => void) {
  const start = async (name: string, variables: Record<string, string>, secrets = {}) => {
    const runtime = new Runtime(bundle, join(directory, name), { variables, secrets });
    onStart(runtime);
    await runtime.start();
    return runtime;
  };
  const objects = await start("objects", { COPY_ELSEWHERE: "1" });
  const { operatorKey, signingSecret } = objects;
  const pages = await start(
    "pages",
    { OBJECTS_AT: `http://127.0.0.1:${objects.port}` },
    { operatorKey, signingSecret },
  );
  await pages.migrate();
  await objects.ask("copy-at", { "bench-url": `http://127.0.0.1:${pages.port}` });
  pages.yieldToOthers();
  return { objects, pages };
}

export async function measureOpenPages(
  bundle: string,
  directory: string,
  plan: PagesPlan,
  onStart: (runtime: Runtime) => void,
): Promise<PagesRound[]> {
  const processes = await startProcesses(bundle, directory, onStart);
  const key = await processes.objects.provision(ENTERPRISE);
  await processes.objects.provision(OTHER);
  const rounds: PagesRound[] = [];
  await debit(processes.objects, key, plan, "warm");
  for (let round = 0; round < plan.rounds; round++) {
    const alone = await debit(processes.objects, key, plan, `alone-${round}`);
    const other = await openPages(processes, OTHER);
    const elsewhere = await debit(processes.objects, key, plan, `elsewhere-${round}`);
    await other.close();
    const open = await openPages(processes, ENTERPRISE);
    const watched = await debit(processes.objects, key, plan, `watched-${round}`);
    rounds.push({ alone, elsewhere, watched, asked: await open.close() });
  }
  await assertCopied(processes);
  return rounds;
}

export function openPagesRows(rounds: readonly PagesRound[], perSecond: number): Row[] {
  const p95Of = (which: "alone" | "elsewhere" | "watched") => rounds.map((round) => round[which].p95Ms);
  const requests = median(rounds.map(({ asked }) => asked.requestsPerSecond));
  const cpuOf = (which: "alone" | "elsewhere" | "watched") => {
    const all = rounds.flatMap((round) => round[which].cpuMsPerSecond ?? []);
    return all.length === 0 ? "?" : formatNumber(median(all));
  };
  const row = (against: "alone" | "elsewhere", words: string): Row => ({
    measure: `p95 of a debit at ${formatNumber(perSecond)}/s with ${PAGES} open pages`,
    against: words,
    sides: `${formatNumber(median(p95Of("watched")))} ms : ${formatNumber(median(p95Of(against)))} ms, ${formatNumber(requests)} requests/s (${cpuOf("watched")} : ${cpuOf(against)} ms CPU/s of the objects)`,
    result: ratiosOf(p95Of("watched"), p95Of(against)),
    unit: "×",
    target: { atMost: 1.5 },
  });
  const callsOf = ({ asked }: PagesRound) => Object.values(asked.objectCalls).reduce((sum, n) => sum + n, 0);
  const methods = [...new Set(rounds.flatMap(({ asked }) => Object.keys(asked.objectCalls)))];
  return [
    row("alone", "no open page"),
    row("elsewhere", "the same pages of another enterprise"),
    {
      measure: "calls of the object per request of an open page",
      against: "–",
      sides: methods.join(", "),
      result: spreadOf(rounds.map((round) => callsOf(round) / round.asked.requests)),
      unit: "×",
      target: { atMost: 1 },
    },
  ];
}

async function debit(objects: Runtime, key: string, { perSecond, measureMs }: PagesPlan, turn: string): Promise<Turn> {
  const name = `pages-${Date.now()}-${turn}`;
  const reporters = Array.from({ length: CONNECTIONS }, (_, i) => new Reporter(`${name}-${i}`, 8));
  const path = `/v1/enterprises/${ENTERPRISE}/debits`;
  const next = (i: number) => requestBytes("POST", path, bearer(key), (reporters[i] as Reporter).next());
  const [beforeMs, sinceMs] = [objects.cpuMs(), performance.now()];
  const measured = await runOpen({ port: objects.port, next }, CONNECTIONS, perSecond, { leadMs: LEAD_MS, measureMs });
  const [afterMs, seconds] = [objects.cpuMs(), (performance.now() - sinceMs) / 1_000];
  const cpuMsPerSecond = beforeMs === null || afterMs === null ? null : (afterMs - beforeMs) / seconds;
  return { ...measured, cpuMsPerSecond };
}

/** Opens the pages. Closing them returns what they asked for, and throws if one was lost. */
async function openPages({ objects, pages }: Processes, enterprise: string) {
  // A key may have a hundred live sockets, and the object may not have noticed yet that those of the last turn have ended.
  const keys = `/v1/enterprises/${enterprise}/keys`;
  const { key } = (await objects.call("POST", keys, { name: "pages", scopes: ["read"] })) as { key: string };
  const address = { port: objects.port, path: `/v1/enterprises/${enterprise}/live`, key };
  let isOpen = true;
  let requests = 0;
  let lost: Error | null = null;
  const fail = (error: unknown) => {
    if (isOpen) lost ??= error as Error;
  };
  const sockets = Array.from({ length: PAGES }, () => new RawSocket(address, () => {}, fail));
  await Promise.all(sockets.map(({ opened }) => opened));
  await pages.ask("object-calls");
  const sinceMs = performance.now();
  const refreshing = sockets.map(async (_, page) => {
    const cookie = await objects.cookie(enterprise);
    const connection = await HttpConnection.open(pages.port);
    await sleep((page / PAGES) * REFRESH_MS);
    for (let turn = page; isOpen; turn++) {
      const sentMs = performance.now();
      const headers = { cookie, "hx-request": "true", "hx-request-type": "partial" };
      await connection.send(requestBytes("GET", `${PATH}?part=${PARTS[turn % PARTS.length]}`, headers)).catch(fail);
      requests += 1;
      await sleep(Math.max(0, sentMs + REFRESH_MS - performance.now()));
    }
    connection.close();
  });
  return {
    async close(): Promise<Asked> {
      isOpen = false;
      const seconds = (performance.now() - sinceMs) / 1000;
      const requestsPerSecond = requests / seconds;
      for (const socket of sockets) socket.close();
      await Promise.all(refreshing);
      if (lost !== null) throw lost;
      const objectCalls = (await (await pages.ask("object-calls")).json()) as Asked["objectCalls"];
      return { requests, requestsPerSecond, objectCalls };
    },
  };
}

/** Waits until D1 has everything. */
async function assertCopied({ objects }: Processes): Promise<void> {
  await objects.drain(ENTERPRISE);
  const [used, copied] = [
    await objects.usedMicros(ENTERPRISE, "gauge"),
    await objects.usedMicros(ENTERPRISE, "copied"),
  ];
  if (used !== copied) throw new Error(`the books do not add up: used ${used}, in the copy ${copied}`);
}
