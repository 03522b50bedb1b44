// How far behind the copy and the watchers are while debits flow at a steady rate. Nobody's word is taken for it: the
// sum of the charges that were answered is compared with what stands in D1, debit by debit, and the live socket's
// messages are matched with the debits they must show.
import { runOpen } from "./http-load.ts";
import type { Runtime } from "./runtime.ts";
import { RawSocket } from "./socket-load.ts";
import { percentile } from "./stats.ts";
import { bearer, Reporter, requestBytes } from "./workload.ts";

const CONNECTIONS = 16;
const LOOK_EVERY_MS = 25;
const GIVE_UP_AFTER_MS = 60_000;

export interface Lag {
  debits: number;
  /** From a debit's answer until its charge stands in D1. */
  copyP50Ms: number;
  copyP99Ms: number;
  /** From sending a debit until a watcher's socket shows it; null when nobody watched. */
  liveP50Ms: number | null;
  liveP95Ms: number | null;
}

interface Answered {
  seq: number;
  chargedMicros: number;
  sentMs: number;
  answeredMs: number;
}

/** Sends debits at the rate, one per request, and measures how late they arrive elsewhere. */
export async function measureLag(
  runtime: Runtime,
  {
    enterprise,
    key,
    perSecond,
    measureMs,
    watched,
  }: {
    enterprise: string;
    key: string;
    perSecond: number;
    measureMs: number;
    watched: boolean;
  },
): Promise<Lag> {
  await runtime.drain(enterprise);
  const path = `/v1/enterprises/${enterprise}`;
  const base = await runtime.usedMicros(enterprise, "copied");
  const shown: { seq: number; atMs: number }[] = [];
  const watcher = watched ? await watch(runtime, `${path}/live`, key, shown) : null;

  const looks: { micros: number; atMs: number }[] = [];
  let looking = true;
  const looker = (async () => {
    while (looking) {
      looks.push({ micros: (await runtime.usedMicros(enterprise, "copied")) - base, atMs: performance.now() });
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  })();

  const answered: Answered[] = [];
  const reporters = Array.from({ length: CONNECTIONS }, (_, i) => new Reporter(`lag-${watched}-${Date.now()}-${i}`, 8));
  const load = {
    port: runtime.port,
    next: (i: number) => requestBytes("POST", `${path}/debits`, bearer(key), (reporters[i] as Reporter).next()),
    onAnswer: (body: Buffer, sentMs: number) => {
      const { seq, charged_micros } = JSON.parse(body.toString()) as { seq: number; charged_micros: number };
      answered.push({ seq, chargedMicros: charged_micros, sentMs, answeredMs: performance.now() });
    },
  };
  await runOpen(load, CONNECTIONS, perSecond, { leadMs: 0, measureMs });
  const sum = answered.reduce((total, { chargedMicros }) => total + chargedMicros, 0);
  const deadlineMs = performance.now() + GIVE_UP_AFTER_MS;
  while ((looks.at(-1)?.micros ?? 0) < sum && performance.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  looking = false;
  await looker;
  watcher?.close();
  if ((looks.at(-1)?.micros ?? 0) !== sum) throw new Error("the copy does not have the sum of the charges");

  const copyMs = copyLags(answered, looks);
  const liveMs = liveLags(answered, shown);
  return {
    debits: answered.length,
    copyP50Ms: percentile(copyMs, 50),
    copyP99Ms: percentile(copyMs, 99),
    liveP50Ms: watched ? percentile(liveMs, 50) : null,
    liveP95Ms: watched ? percentile(liveMs, 95) : null,
  };
}

/** Charges reach the copy in the order of their seq: a debit is there when the sum up to it is. */
function copyLags(answered: readonly Answered[], looks: readonly { micros: number; atMs: number }[]): number[] {
  let sum = 0;
  let look = 0;
  return answered
    .toSorted((a, b) => a.seq - b.seq)
    .map(({ chargedMicros, answeredMs }) => {
      sum += chargedMicros;
      while ((looks[look] as (typeof looks)[number]).micros < sum) look += 1;
      return Math.max(0, (looks[look] as (typeof looks)[number]).atMs - answeredMs);
    });
}

function liveLags(answered: readonly Answered[], shown: readonly { seq: number; atMs: number }[]): number[] {
  return answered.flatMap(({ seq, sentMs }) => {
    const message = shown.find((candidate) => candidate.seq >= seq);
    return message === undefined ? [] : [message.atMs - sentMs];
  });
}

async function watch(runtime: Runtime, path: string, key: string, shown: { seq: number; atMs: number }[]) {
  const socket = new RawSocket(
    { port: runtime.port, path, key },
    (text) => shown.push({ seq: (JSON.parse(text) as { seq: number }).seq, atMs: performance.now() }),
    (error) => {
      throw error;
    },
  );
  await socket.opened;
  return socket;
}
