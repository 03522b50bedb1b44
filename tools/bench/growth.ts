// Does anything grow with history? Two enterprises in the same runtime, one with a thousand runs behind it and one with
// up to a million, in the copy and in the object's own books: the same page, and the same debits, in turns.
import { GROUPS, USERS, WORKSPACES, writeHistory } from "./history.ts";
import { HttpConnection, runClosed } from "./http-load.ts";
import type { Runtime } from "./runtime.ts";
import { median } from "./stats.ts";
import { bearer, Reporter, requestBytes } from "./workload.ts";

/** A question to the copy, and what it took after little and after much history. */
export interface Grown {
  name: string;
  /** Medians of a request's time, round by round, each as [little, much]. */
  timesMs: [number, number][];
  /** D1 rows read by one request, as [little, much]. */
  rowsRead: [number, number];
}

export const LITTLE_RUNS = 1_000;
const LITTLE = "history-little";
const MUCH = "history-much";
const CONNECTIONS = 32;

/** Where the page's questions can be asked one by one, for those who have no page yet. */
const QUESTIONS = [
  "gauge",
  "usage/timeseries?range=30d",
  "usage/top/workspaces",
  "usage/top/groups",
  "usage/top/users",
  "runs?limit=10",
];

/** Makes both enterprises and their history; starts the runtime again. Gives their keys. */
export async function prepareGrowth(runtime: Runtime, directory: string, muchRuns: number): Promise<[string, string]> {
  const keys: string[] = [];
  const histories = [];
  for (const [enterprise, runs] of [
    [LITTLE, LITTLE_RUNS],
    [MUCH, muchRuns],
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
  // The names have to reach the copy before the files are written from outside.
  for (const { enterprise } of histories) await runtime.project(enterprise);
  await runtime.stop();
  for (const history of histories) writeHistory(directory, history);
  await runtime.start();
  return keys as [string, string];
}

/** The dashboard where there is one, else the questions that it asks; one request at a time, by turns. */
export async function measurePages(runtime: Runtime, rounds: number, requests: number): Promise<Grown[]> {
  const cookies = await Promise.all([LITTLE, MUCH].map((enterprise) => runtime.cookie(enterprise)));
  const page = await fetch(`http://127.0.0.1:${runtime.port}/settings/usage`, {
    headers: { cookie: cookies[0] as string },
    redirect: "manual",
  });
  const paths = page.status === 200 ? [() => "/settings/usage"] : QUESTIONS.map(questionPath);
  const connection = await HttpConnection.open(runtime.port);
  const grown: Grown[] = [];
  for (const path of paths) {
    const sides = [LITTLE, MUCH].map((enterprise, i) => ({ path: path(enterprise), cookie: cookies[i] as string }));
    const timesMs: [number, number][] = [];
    for (let round = 0; round < rounds; round++) {
      const times: [number[], number[]] = [[], []];
      for (let request = 0; request < requests; request++) {
        for (const [i, { path, cookie }] of sides.entries()) {
          const sentMs = performance.now();
          await connection.send(requestBytes("GET", path, { cookie }));
          times[i as 0 | 1].push(performance.now() - sentMs);
        }
      }
      timesMs.push([median(times[0]), median(times[1])]);
    }
    const rowsRead = await Promise.all(sides.map(({ path, cookie }) => rowsReadBy(runtime, path, cookie)));
    const name = (sides[0] as { path: string }).path.replace(`/v1/enterprises/${LITTLE}/`, "…/");
    grown.push({ name, timesMs, rowsRead: rowsRead as [number, number] });
  }
  connection.close();
  return grown;
}

/** Single debits per second, round by round, after [little, much] history. */
export async function measureDebits(
  runtime: Runtime,
  keys: [string, string],
  rounds: number,
  measureMs: number,
): Promise<[number, number][]> {
  const results: [number, number][] = [];
  for (let round = 0; round < rounds; round++) {
    const perSecond: number[] = [];
    for (const [i, enterprise] of [LITTLE, MUCH].entries()) {
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

function questionPath(question: string): (enterprise: string) => string {
  return (enterprise) => `/v1/enterprises/${enterprise}/${question}`;
}

async function rowsReadBy(runtime: Runtime, path: string, cookie: string): Promise<number> {
  const answer = await runtime.ask("rows-read", { cookie, "bench-path": path });
  const { status, d1RowsRead } = (await answer.json()) as { status: number; d1RowsRead: number };
  if (status !== 200) throw new Error(`${path} answered ${status}`);
  return d1RowsRead;
}
