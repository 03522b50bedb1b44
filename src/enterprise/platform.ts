/**
 * What the core of an enterprise needs from the platform it runs on. In production that is a Durable Object
 * (durable-platform.ts); in the simulator it is node:sqlite and a simulated network. Both run the same core.
 */
import type { GrantRequest } from "../ledger/grants.ts";
import type { AtMs } from "../ledger/time.ts";
import type { FindPrice } from "../wire/report.ts";
import type { Sql } from "./books/sql.ts";
import type { Sockets } from "./sockets/sockets.ts";

export type Platform = {
  sql: Sql;
  clock: Clock;
  /** The object's one alarm: setting it replaces the time it was set to before. */
  alarm: { set(atMs: AtMs): void };
  defer: Defer;
  /** D1. */
  copy: D1Database;
  peers: Peers;
  sockets: Sockets;
  webhooks: WebhookNetwork;
  /** The price book in force, at most 30 seconds old. */
  prices(): Promise<{ find: FindPrice }>;
  log: Log;
};

/** The real clock. The ledger has its own, which is a test clock in some enterprises and never goes back. */
export type Clock = { realNowMs(): AtMs };

/** Runs `act` later in this instance, like setTimeout. Lost with the instance's memory. */
export type Defer = (act: () => void, delayMs: number) => void;

/** Other enterprises' objects, each by its id. */
export type Peers = {
  exists(enterprise: string): Promise<boolean>;
  addGrant(enterprise: string, request: GrantRequest): Promise<unknown>;
};

type WebhookNetwork = {
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** The secret that signs an enterprise's events to this URL. */
  secretOf(enterprise: string, url: string): Promise<string>;
};

/** One line of JSON per event. */
type Log = Record<"warn" | "error", (event: { event: string } & Record<string, unknown>) => void>;
