/**
 * A platform for tests of the core and its jobs: an enterprise that exists in node:sqlite, a clock and alarms that the
 * test reads and sets, and a network on which every call fails unless the test replaces it.
 */
import type { Platform } from "../../src/enterprise/platform.ts";
import { FIRST_PLANS } from "../../src/ledger/plans.ts";
import { NOON } from "../support/books.ts";
import { openSql } from "../support/node-sql.ts";

export type StubPlatform = Platform & {
  nowMs: number;
  /** Every time the alarm was set to. */
  alarms: number[];
  logged: { event: string }[];
};

const noNetwork = () => Promise.reject(new Error("connection lost"));

export function stubPlatform(over: Partial<Platform> = {}): StubPlatform {
  const logged: { event: string }[] = [];
  const alarms: number[] = [];
  const log = (event: { event: string }) => {
    logged.push(event);
  };
  const platform: StubPlatform = {
    nowMs: NOON,
    alarms,
    logged,
    sql: openSql(),
    clock: { realNowMs: () => platform.nowMs },
    alarm: {
      set: (atMs) => {
        alarms.push(atMs);
      },
    },
    defer: (act, delayMs) => {
      const timer = setTimeout(act, delayMs);
      return () => clearTimeout(timer);
    },
    copy: { prepare: () => neverAnswering, batch: () => new Promise(() => {}) },
    peers: { exists: async () => true, addGrant: noNetwork },
    jobRecords: { put: async () => {} },
    objectSizes: { note: async () => {} },
    lateCopies: { note: async () => {} },
    moves: { note: async () => {} },
    database: () => platform.copy,
    shards: () => ["DB"],
    sockets: { countLive: () => 0, live: () => [], all: () => [], of: () => [], countLiveOf: () => 0 },
    webhooks: { fetch: noNetwork, secretOf: async () => "whsec_c2VjcmV0" },
    emails: {
      configured: () => true,
      send: noNetwork,
      confirmUrl: async ({ site }) => `${site}/confirm-email?token=t`,
    },
    noteFailedDeliveries: async () => {},
    prices: async () => ({ find: (model) => ({ model, price: null }) }),
    plans: async () => FIRST_PLANS,
    referralCode: async (enterprise) => `${enterprise}~12345678`,
    unpricedUsage: "keep",
    waitingUsage: { report: async () => ({ version: 1, pauseMs: 5_000 }) },
    log: { warn: log, error: log },
    ...over,
  };
  return platform;
}

/** A copy of which every call fails at once, for tests in which the alarm must not wait for the copy. */
export const failingCopy = {
  prepare: () => failing,
  batch: noNetwork,
} satisfies Pick<D1Database, "prepare" | "batch">;

const failing: D1PreparedStatement = {
  bind: () => failing,
  all: noNetwork,
  run: noNetwork,
  raw: noNetwork,
  first: noNetwork,
};

const neverAnswering: D1PreparedStatement = {
  bind: () => neverAnswering,
  all: () => new Promise(() => {}),
  run: () => new Promise(() => {}),
  raw: () => new Promise(() => {}),
  first: () => new Promise(() => {}),
};
