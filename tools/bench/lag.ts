// Measures how far the copy and watchers are behind while debits arrive at a steady rate. It measures from outside: it
// compares the sum of the answered charges with the sum in D1, debit by debit, and matches messages of the live socket
// with the debits that they must show.

import { setTimeout as sleep } from "node:timers/promises";
import { bearer, requestBytes } from "../workerd/http-connection.ts";
import { RawSocket } from "../workerd/raw-socket.ts";
import type { Runtime } from "../workerd/runtime.ts";
import { runOpen } from "./http-load.ts";
import { percentile } from "./stats.ts";
import { Reporter } from "./workload.ts";

const CONNECTIONS = 16;
const POLL_EVERY_MS = 25;
const GIVE_UP_AFTER_MS = 60_000;

export interface Lag {
  debits: number;
  /** From a debit's answer until its charge is in D1. */
  copyP50Ms: number;
  copyP99Ms: number;
  /** From sending a debit until a watcher's socket shows it; null without a watcher. */
  liveP50Ms: number | null;
  liveP95Ms: number | null;
}

/** The sum of the charges in the copy at a moment. */
interface Sample {
  micros: number;
  atMs: number;
}

interface Answered {
  seq: number;
  chargedMicros: number;
  sentMs: number;
  answeredMs: number;
}

/** Sends single debits at a steady rate and measures how late they arrive in the copy and at a watcher. */
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
  const initialMicros = await runtime.usedMicros(enterprise, "copied");
  const shown: { seq: number; atMs: number }[] = [];
  const watcher = watched ? await watch(runtime, `${path}/live`, key, shown) : null;

  const samples: Sample[] = [];
  let polling = true;
  const poller = (async () => {
    while (polling) {
      const micros = (await runtime.usedMicros(enterprise, "copied")) - initialMicros;
      samples.push({ micros, atMs: performance.now() });
      await sleep(POLL_EVERY_MS);
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
  while ((samples.at(-1)?.micros ?? 0) < sum && performance.now() < deadlineMs) await sleep(POLL_EVERY_MS);
  polling = false;
  await poller;
  watcher?.close();
  if ((samples.at(-1)?.micros ?? 0) !== sum) throw new Error("the sum in the copy differs from the sum of the charges");

  const copyMs = copyLags(answered, samples);
  const liveMs = liveLags(answered, shown);
  return {
    debits: answered.length,
    copyP50Ms: percentile(copyMs, 50),
    copyP99Ms: percentile(copyMs, 99),
    liveP50Ms: watched ? percentile(liveMs, 50) : null,
    liveP95Ms: watched ? percentile(liveMs, 95) : null,
  };
}

/** Charges reach the copy in the order of their seq, so a debit has arrived once the sum up to it has. */
function copyLags(answered: readonly Answered[], samples: readonly Sample[]): number[] {
  let sum = 0;
  let index = 0;
  return answered
    .toSorted((a, b) => a.seq - b.seq)
    .map(({ chargedMicros, answeredMs }) => {
      sum += chargedMicros;
      while ((samples[index] as Sample).micros < sum) index += 1;
      return Math.max(0, (samples[index] as Sample).atMs - answeredMs);
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
