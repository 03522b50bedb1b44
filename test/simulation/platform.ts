/**
 * The platform under the object, as it behaves at its worst: it evicts the object, runs alarms late, twice or never, and
 * sets its clock back. What the object was waiting for when it was evicted never arrives.
 */
import { isComplete, parseHead } from "../../src/copy/checked-copy.ts";
import { copyMark } from "../../src/enterprise/copy/copy-writer.ts";
import { FIRST_PLANS } from "../../src/ledger/plans.ts";
import { CopyDb } from "./copy-db.ts";
import { type FaultySql, faultySql } from "./faulty-sql.ts";
import { ServiceNetwork } from "./service-network.ts";
import { SimulatedObject } from "./simulated-object.ts";
import { Watchers } from "./watchers.ts";
import type { World, WorldPlatform } from "./world.ts";

type LoggedEvent = { event: string; job?: unknown };

const WEBHOOK_SECRET = `whsec_${Buffer.from("the secret of a simulated world").toString("base64")}`;
const RETRIED_ALARM_MS = 2_000;
const LATEST_READER_MS = 3_600_000;
const HEAD = "SELECT generation, revision, since_revision FROM enterprises WHERE id = 'acme'";
const RUNNING_REBUILD = "SELECT 1 FROM jobs WHERE name = 'rebuild' AND state = 'running'";
const BEGUN_JOB = "SELECT 1 FROM jobs WHERE state = 'running' AND cursor <> 'null'";
const NEXT_LOOK_MS = 500;
const LATEST_ALARM_MS = 12 * 3_600_000;

export class SimPlatform implements WorldPlatform {
  readonly sql: FaultySql = faultySql((all) => this.world.committed(all));
  readonly network: ServiceNetwork;
  readonly copy: CopyDb;
  readonly watchers: Watchers;
  /** True once the world has ended: nothing fails any more. */
  healed = false;
  #object: SimulatedObject | null = null;
  #skewMs = 0;
  #alarm: { atMs: number } | null = null;
  #lost = false;
  /** The instance whose alarm is being handled. */
  #handling: SimulatedObject | null = null;

  constructor(readonly world: World) {
    this.network = new ServiceNetwork(world, () => this.#object);
    this.watchers = new Watchers(world);
    this.copy = new CopyDb((apply) => this.network.carry(apply));
  }

  /** The object: a new instance after an eviction. */
  get object(): SimulatedObject {
    this.#object ??= this.#newObject();
    return this.#object;
  }

  /** True while an alarm is being handled or a request is on its way. */
  get busy(): boolean {
    return this.#handling !== null || this.network.inFlight > 0;
  }

  get copyIsComplete(): boolean {
    const head = parseHead(this.copy.rows(HEAD)[0]);
    return isComplete(head, copyMark(this.sql)) && this.sql.all(RUNNING_REBUILD).length === 0;
  }

  /** A reader finds the copy incomplete and reports it to the object, or finds it complete. */
  readCopy(): void {
    if (this.world.ended || isComplete(parseHead(this.copy.rows(HEAD)[0]), copyMark(this.sql))) return;
    this.object.core.checkCopy().catch(() => {});
    this.world.drain();
  }

  nowMs(): number {
    return this.world.nowMs + this.#skewMs;
  }

  stepClock(skewMs: number): void {
    if (skewMs < this.#skewMs) this.world.count("clock_stepped_back");
    if (skewMs > this.#skewMs) this.world.count("clock_stepped_forward");
    const laterMs = this.#skewMs - skewMs;
    this.#skewMs = skewMs;
    // Alarms follow the same clock.
    if (this.#alarm !== null) this.#ring({ atMs: this.#alarm.atMs + laterMs });
    this.network.normalSinceMs = Math.max(this.network.normalSinceMs, this.world.nowMs);
  }

  evict(): void {
    if (this.#object === null) return;
    this.world.count("evicted");
    if (this.sql.all(BEGUN_JOB).length > 0) this.world.count("job_interrupted_between_slices");
    if (this.#handling === this.#object) {
      if (this.network.inFlight > 0) this.world.count("evicted_while_projecting");
      this.#handling = null;
      this.#ring({ atMs: this.world.nowMs + RETRIED_ALARM_MS });
    }
    this.#object.dead = true;
    this.watchers.closeAll();
    this.#object = null;
  }

  heal(): void {
    this.healed = true;
    this.#skewMs = 0;
    this.network.heal();
  }

  /** Rebuilds the copy. If this does not end within the call, the object's alarm continues it. */
  rebuild(): void {
    const { world, object } = this;
    world.trace.add(`${world.nowMs} rebuild`);
    object.core.management.rebuild().then(
      (answer) => world.count("job" in answer ? "copy_rebuild_continued_by_the_alarm" : "copy_rebuilt"),
      () => {},
    );
    world.drain();
  }

  /** D1 loses the copy, or takes it back to an earlier moment. */
  loseCopy(): void {
    const { world } = this;
    world.trace.add(`${world.nowMs} copy lost`);
    this.network.normalSinceMs = Math.max(this.network.normalSinceMs, world.nowMs);
    world.later(world.dice.spread(1_000, LATEST_READER_MS), () => this.readCopy());
    world.count(this.copy.lose(world.dice.chance(0.5)) ? "copy_replaced_by_an_older_one" : "copy_lost");
  }

  #newObject(): SimulatedObject {
    const { world, network, sql, copy } = this;
    const log = (event: LoggedEvent) => this.#log(event);
    return new SimulatedObject(
      sql,
      {
        sql,
        ...(world.restores.recovery === null ? {} : { recovery: world.restores.recovery }),
        clock: { realNowMs: () => this.nowMs() },
        alarm: { set: (atMs) => this.#setAlarm(atMs) },
        copy,
        peers: { exists: () => network.findPeer(), addGrant: (_, request) => network.grantElsewhere(request) },
        jobRecords: { put: async () => {} },
        objectSizes: { note: async () => {} },
        lateCopies: { note: async () => {} },
        moves: { note: async () => {} },
        database: () => copy,
        shards: () => ["DB"],
        sockets: this.watchers.sockets,
        webhooks: {
          fetch: (url, init) => network.fetch(url, new Headers(init.headers).get("webhook-id")),
          secretOf: async () => WEBHOOK_SECRET,
        },
        emails: {
          configured: () => true,
          send: async () => world.count("email_sent"),
          confirmUrl: async ({ site }) => `${site}/confirm-email?token=t`,
        },
        noteFailedDeliveries: async () => {},
        prices: async () => world.traffic.prices.latest,
        plans: async () => FIRST_PLANS,
        referralCode: async (enterprise) => `${enterprise}~12345678`,
        unpricedUsage: world.keepsUnpriced ? "keep" : "refuse",
        waitingUsage: { report: async () => ({ version: world.traffic.prices.latest.book.version, pauseMs: 5_000 }) },
        log: { warn: log, error: log },
      },
      (delayMs, act) =>
        world.later(delayMs, () => {
          act();
          world.drain();
        }),
    );
  }

  #setAlarm(atMs: number): void {
    if (this.#lost) this.world.count("alarm_lost_until_the_next_call");
    this.#lost = false;
    this.#ring({ atMs: atMs - this.#skewMs });
  }

  #log(event: LoggedEvent): void {
    if (event.event === "copy_wrong") this.world.count("copy_found_wrong");
    if (event.event === "job_failed") this.world.count("job_retried");
    if (event.job === "settle" && this.object.turnIsDue) this.world.count("crashed_in_a_cycle_turn");
    this.world.trace.add(JSON.stringify(event));
  }

  /** Runs the alarm at its time, unless it is set again meanwhile. */
  #ring(alarm: { atMs: number }): void {
    const { world } = this;
    this.#alarm = alarm;
    const bad = !this.healed && world.dice.chance(world.scenario.faults.alarm);
    const fate = bad ? world.dice.pick(["late", "twice", "lost"] as const) : "on_time";
    const lateMs = fate === "late" ? world.dice.spread(1_000, LATEST_ALARM_MS) : 0;
    world.at(Math.max(alarm.atMs + lateMs, world.nowMs), () => {
      if (this.#alarm !== alarm) return;
      if (fate === "late") world.count("alarm_late");
      if (fate === "lost") this.#lose();
      else this.#fire(fate === "twice" ? 2 : 1);
    });
  }

  /** The platform drops the alarm: only the next call can set another. */
  #lose(): void {
    this.world.count("alarm_lost");
    this.#alarm = null;
    this.#lost = true;
    if (this.world.dice.chance(0.5)) this.evict();
  }

  #fire(times: number): void {
    const { world, object } = this;
    const alarm = this.#alarm;
    if (this.#handling !== null) {
      // An alarm waits until the handler of the previous one is done.
      world.later(NEXT_LOOK_MS, () => this.#alarm === alarm && alarm !== null && this.#fire(times));
      return;
    }
    this.#alarm = null;
    this.#handling = object;
    world.trace.add(`${world.nowMs} alarm`);
    world.trapJobs();
    object.core.alarm().then(
      () => this.#handled(object, times),
      () => this.#unhandled(object),
    );
    world.drain();
  }

  #handled(object: SimulatedObject, times: number): void {
    if (object.dead) return;
    this.#handling = null;
    if (times === 1) return;
    this.world.count("alarm_twice");
    this.#alarm ??= { atMs: this.world.nowMs };
    this.#fire(times - 1);
  }

  /** An alarm whose handler throws runs again. */
  #unhandled(object: SimulatedObject): void {
    if (object.dead) return;
    this.#handling = null;
    this.#ring({ atMs: this.world.nowMs + RETRIED_ALARM_MS });
  }
}
