// Measures how much open usage pages slow debits down. A page here is what a browser's page is for the server: a live
// socket, and at most one request a second, every second one of them for all regions. Debits arrive at a steady rate, in
// turns with no page open, with the pages of another enterprise, and with the pages of the same one. The Worker, D1 and
// the objects share one thread here, so what pages cost the object is the ratio to the pages of another enterprise.
import { setTimeout as sleep } from "node:timers/promises";
import { bearer, HttpConnection, requestBytes } from "../workerd/http-connection.ts";
import { RawSocket } from "../workerd/raw-socket.ts";
import type { Runtime } from "../workerd/runtime.ts";
import { type Measured, runOpen } from "./http-load.ts";
import { formatNumber, type Row } from "./report.ts";
import { median, ratiosOf } from "./stats.ts";
import { Reporter } from "./workload.ts";

const PAGES = 100;
const REFRESH_MS = 1_000;
const CONNECTIONS = 16;
const LEAD_MS = 1_000;
const OTHER = "pages-elsewhere";
const PATH = "/settings/usage";
const PARTS = ["now", "now,selection,chart,workspace,group,user,model,runs"] as const;

interface PagesRound {
  alone: Measured;
  elsewhere: Measured;
  watched: Measured;
  /** How many requests the pages of the same enterprise sent per second. */
  requestsPerSecond: number;
}

interface PagesPlan {
  enterprise: string;
  key: string;
  perSecond: number;
  rounds: number;
  measureMs: number;
}

export async function measureOpenPages(runtime: Runtime, plan: PagesPlan): Promise<PagesRound[]> {
  await runtime.provision(OTHER);
  const rounds: PagesRound[] = [];
  await debit(runtime, plan, "warm");
  for (let round = 0; round < plan.rounds; round++) {
    const alone = await debit(runtime, plan, `alone-${round}`);
    const other = await openPages(runtime, OTHER);
    const elsewhere = await debit(runtime, plan, `elsewhere-${round}`);
    await other.close();
    const pages = await openPages(runtime, plan.enterprise);
    const watched = await debit(runtime, plan, `watched-${round}`);
    rounds.push({ alone, elsewhere, watched, requestsPerSecond: await pages.close() });
  }
  return rounds;
}

export function openPagesRows(rounds: readonly PagesRound[], perSecond: number): Row[] {
  const p95Of = (which: "alone" | "elsewhere" | "watched") => rounds.map((round) => round[which].p95Ms);
  const requests = median(rounds.map(({ requestsPerSecond }) => requestsPerSecond));
  const row = (against: "alone" | "elsewhere", words: string): Row => ({
    measure: `p95 of a debit at ${formatNumber(perSecond)}/s with ${PAGES} open pages`,
    against: words,
    sides: `${formatNumber(median(p95Of("watched")))} ms : ${formatNumber(median(p95Of(against)))} ms, ${formatNumber(requests)} requests/s`,
    result: ratiosOf(p95Of("watched"), p95Of(against)),
    unit: "×",
    target: { atMost: 1.5 },
  });
  return [row("alone", "no open page"), row("elsewhere", "the same pages of another enterprise")];
}

function debit(runtime: Runtime, { enterprise, key, perSecond, measureMs }: PagesPlan, turn: string) {
  const name = `pages-${Date.now()}-${turn}`;
  const reporters = Array.from({ length: CONNECTIONS }, (_, i) => new Reporter(`${name}-${i}`, 8));
  const path = `/v1/enterprises/${enterprise}/debits`;
  const next = (i: number) => requestBytes("POST", path, bearer(key), (reporters[i] as Reporter).next());
  return runOpen({ port: runtime.port, next }, CONNECTIONS, perSecond, { leadMs: LEAD_MS, measureMs });
}

/** Opens the pages. Closing them returns how many requests a second they sent, and throws if one was lost. */
async function openPages(runtime: Runtime, enterprise: string) {
  // A key may have a hundred live sockets, and the object may not have noticed yet that those of the last turn have ended.
  const keys = `/v1/enterprises/${enterprise}/keys`;
  const { key } = (await runtime.call("POST", keys, { name: "pages", scopes: ["read"] })) as { key: string };
  const address = { port: runtime.port, path: `/v1/enterprises/${enterprise}/live`, key };
  let isOpen = true;
  let requests = 0;
  let lost: Error | null = null;
  const fail = (error: unknown) => {
    if (isOpen) lost ??= error as Error;
  };
  const sockets = Array.from({ length: PAGES }, () => new RawSocket(address, () => {}, fail));
  await Promise.all(sockets.map(({ opened }) => opened));
  const sinceMs = performance.now();
  const refreshing = sockets.map(async (_, page) => {
    const cookie = await runtime.cookie(enterprise);
    const connection = await HttpConnection.open(runtime.port);
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
    async close(): Promise<number> {
      isOpen = false;
      const seconds = (performance.now() - sinceMs) / 1000;
      const perSecond = requests / seconds;
      for (const socket of sockets) socket.close();
      await Promise.all(refreshing);
      if (lost !== null) throw lost;
      return perSecond;
    },
  };
}
