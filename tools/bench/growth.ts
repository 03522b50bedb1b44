// Measures whether anything becomes slower with history. Of two enterprises in one runtime, one has a thousand runs and
// the other up to a million, in the copy and in the object. Both get the same page requests and debits, in turn.
import { bearer, HttpConnection, requestBytes } from "../workerd/http-connection.ts";
import type { Runtime } from "../workerd/runtime.ts";
import { GROUPS, USERS, WORKSPACES, writeHistory } from "./history.ts";
import { runClosed } from "./http-load.ts";
import { median } from "./stats.ts";
import { Reporter } from "./workload.ts";

/** What a page costs after a short and after a long history. */
export interface PageGrowth {
  name: string;
  /** The median times of a request, per round, as [short, long]. */
  timesMs: [number, number][];
  /** The D1 rows that one request reads, as [short, long]. */
  rowsRead: [number, number];
}

export const SHORT_RUNS = 1_000;
const SHORT = "history-short";
const LONG = "history-long";
const PAGE = "/settings/usage";
const CONNECTIONS = 32;

/** Creates both enterprises with their history and restarts the runtime. Returns their keys as [short, long]. */
export async function prepareGrowth(runtime: Runtime, directory: string, longRuns: number): Promise<[string, string]> {
  const keys: string[] = [];
  const histories = [];
  for (const [enterprise, runs] of [
    [SHORT, SHORT_RUNS],
    [LONG, longRuns],
  ] as const) {
    keys.push(await runtime.provision(enterprise));
    const named = (prefix: string, count: number) =>
      Array.from({ length: count }, (_, i) => ({ id: `${prefix}-${i}`, name: `${prefix} ${i}` }));
    await runtime.call("PUT", `/v1/enterprises/${enterprise}/directory`, {
      groups: named("group", GROUPS),
      workspaces: named("ws", WORKSPACES).map((named, i) => ({ ...named, group_id: `group-${i % GROUPS}` })),
      users: named("user", USERS),
    });
    const gauge = (await runtime.call("GET", `/v1/enterprises/${enterprise}/gauge`)) as {
      cycle: { starts_at: string };
    };
    const objectId = await (await runtime.ask(`id?${enterprise}`)).text();
    histories.push({ enterprise, objectId, runs, cycleStartsAtMs: Date.parse(gauge.cycle.starts_at) });
  }
  // The names must reach the copy before its file is written from outside.
  for (const { enterprise } of histories) await runtime.project(enterprise);
  await runtime.stop();
  for (const history of histories) writeHistory(directory, history);
  await runtime.start();
  return keys as [string, string];
}

/** Requests the dashboard of both enterprises in turn, one request at a time. */
export async function measurePage(runtime: Runtime, rounds: number, requests: number): Promise<PageGrowth> {
  const cookies = await Promise.all([SHORT, LONG].map((enterprise) => runtime.cookie(enterprise)));
  const connection = await HttpConnection.open(runtime.port);
  const timesMs: [number, number][] = [];
  for (let round = 0; round < rounds; round++) {
    const times: [number[], number[]] = [[], []];
    for (let request = 0; request < requests; request++) {
      for (const [i, cookie] of cookies.entries()) {
        const sentMs = performance.now();
        await connection.send(requestBytes("GET", PAGE, { cookie }));
        times[i as 0 | 1].push(performance.now() - sentMs);
      }
    }
    timesMs.push([median(times[0]), median(times[1])]);
  }
  connection.close();
  const rowsRead = await Promise.all(cookies.map((cookie) => rowsReadBy(runtime, PAGE, cookie)));
  return { name: PAGE, timesMs, rowsRead: rowsRead as [number, number] };
}

/** Measures single debits per second, per round, as [short, long]. */
export async function measureDebits(
  runtime: Runtime,
  keys: [string, string],
  rounds: number,
  measureMs: number,
): Promise<[number, number][]> {
  const results: [number, number][] = [];
  for (let round = 0; round < rounds; round++) {
    const perSecond: number[] = [];
    for (const [i, enterprise] of [SHORT, LONG].entries()) {
      const path = `/v1/enterprises/${enterprise}/debits`;
      const headers = bearer(keys[i] as string);
      const reporters = Array.from({ length: CONNECTIONS }, (_, c) => new Reporter(`grown-${round}-${c}`, 1));
      const next = (c: number) => requestBytes("POST", path, headers, (reporters[c] as Reporter).next());
      const measured = await runClosed({ port: runtime.port, next }, CONNECTIONS, { leadMs: 300, measureMs });
      perSecond.push(measured.perSecond);
      await runtime.project(enterprise);
    }
    results.push(perSecond as [number, number]);
  }
  return results;
}

async function rowsReadBy(runtime: Runtime, path: string, cookie: string): Promise<number> {
  const answer = await runtime.ask("rows-read", { cookie, "bench-path": path });
  const { status, d1RowsRead } = (await answer.json()) as { status: number; d1RowsRead: number };
  if (status !== 200) throw new Error(`${path} answered ${status}`);
  return d1RowsRead;
}
