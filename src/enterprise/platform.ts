/**
 * What the core of an enterprise needs from its platform. In production the platform is a Durable Object
 * (durable-platform.ts). In the simulator it is node:sqlite and a simulated network. Both run the same core.
 */
import type { Denied } from "../access/refusals.ts";
import type { JobRecord } from "../catalog/job-record.ts";
import type { WaitingReceived, WaitingReport } from "../catalog/waiting-report.ts";
import type { By } from "../ledger/entries.ts";
import type { GrantRequest } from "../ledger/grants.ts";
import type { Plan } from "../ledger/plans.ts";
import type { Refused } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import type { DeploymentLinks } from "../wire/links.ts";
import type { FindPrice } from "../wire/report.ts";
import type { Sql } from "./books/sql.ts";
import type { Sockets } from "./sockets/sockets.ts";

export type Platform = {
  sql: Sql;
  clock: Clock;
  /** The Durable Object's single alarm. Setting it replaces the time it was set to before. */
  alarm: { set(atMs: AtMs): void };
  defer: Defer;
  /** The D1 database that holds the copy. */
  copy: D1Database;
  /** Returns a D1 database by the name of its binding. Throws if it is not bound. */
  database(shard: string): D1Database;
  /** Returns the names of all D1 databases that are bound. */
  shards(): string[];
  peers: Peers;
  jobRecords: JobRecords;
  objectSizes: ObjectSizes;
  lateCopies: LateCopies;
  moves: Moves;
  sockets: Sockets;
  webhooks: WebhookNetwork;
  emails: EmailNetwork;
  /** Sends the number of messages that this enterprise has given up, to the catalog. */
  noteFailedDeliveries(enterprise: string, failed: number): Promise<unknown>;
  /** The deployment's links; NO_LINKS if absent. */
  links?: DeploymentLinks;
  /** Makes the referral code of an enterprise that has not stored one yet. */
  referralCode(enterprise: string): Promise<string>;
  /** Asks the catalog for the plans. */
  plans(): Promise<readonly Plan[]>;
  /** Returns the current price book, which may be up to 30 seconds old, but is at least of version `minVersion`. */
  prices(minVersion?: number): Promise<{ find: FindPrice }>;
  /** The deployment's variable UNPRICED_USAGE: whether usage that nothing prices is kept or refused. */
  unpricedUsage: "keep" | "refuse";
  waitingUsage: WaitingUsage;
  /** Absent: the platform cannot take an object back to an earlier moment. */
  recovery?: Recovery;
  log: Log;
};

/** The real clock. The ledger has its own clock, which never goes back and is a test clock in some enterprises. */
export type Clock = { realNowMs(): AtMs };

/**
 * Runs `act` later in this instance, like setTimeout. If the instance is evicted first, `act` never runs. May return a
 * function that cancels it: the platform keeps an instance with a pending timer.
 */
export type Defer = (act: () => void, delayMs: number) => unknown;

/** Calls the Durable Objects of other enterprises, by enterprise id. */
export type Peers = {
  exists(enterprise: string): Promise<boolean>;
  addGrant(enterprise: string, request: GrantRequest, by: By): Promise<{ created: boolean } | Refused | Denied>;
};

/** The catalog's public records of jobs. */
type JobRecords = { put(record: JobRecord): Promise<unknown> };

/** The catalog's record of which database has the copy. */
type Moves = { note(enterprise: string, shard: string): Promise<unknown> };

/** The catalog's list of objects that are nearly full. */
type ObjectSizes = { note(enterprise: string, bytes: number): Promise<unknown> };

/** The catalog's list of enterprises whose copy is late. */
type LateCopies = { note(enterprise: string, isLate: boolean): Promise<unknown> };
/** The catalog's list of what waits for a price. */
type WaitingUsage = { report(report: WaitingReport): Promise<WaitingReceived> };

type WebhookNetwork = {
  fetch(url: string, init: RequestInit): Promise<Response>;
  /**
   * Returns the secret with which the last release signed an enterprise's events to this URL. It is derived from
   * SIGNING_SECRET, and is used until the object has stored it.
   */
  secretOf(enterprise: string, url: string): Promise<string>;
};

export type Email = { to: string; subject: string; text: string; html: string };

type EmailNetwork = {
  /** Whether this deployment can send emails. */
  configured(): boolean;
  send(email: Email): Promise<void>;
  /** Makes the link that the recipient of an email channel confirms the address with. */
  confirmUrl(link: {
    enterprise: string;
    region: string;
    channel: string;
    confirmId: string;
    site: string;
  }): Promise<string>;
};

/** The platform's point-in-time recovery of this object. */
export type Recovery = {
  /** Whether this deployment has it. The development runtime does not. */
  isSupported(): Promise<boolean>;
  /** Returns the bookmark of a moment of the last 30 days, by the real clock. */
  bookmarkAt(atMs: AtMs): Promise<string>;
  /** Lets the object's next instance start with what was stored at the bookmark. Returns the bookmark that undoes this. */
  startNextAt(bookmark: string): Promise<string>;
  /** Ends this instance, without an answer to the calls that wait. */
  restart(): void;
  /** Whether the catalog is restoring this enterprise. */
  isListed(enterprise: string): Promise<boolean>;
};

/** Logs each event as one line of JSON. */
type Log = Record<"warn" | "error", (event: { event: string } & Record<string, unknown>) => void>;
