/**
 * The network between the object and the services that it calls: the copy in D1, the receiver of webhooks, another
 * enterprise. Normally all answer soon. They may also be down, be slow and apply out of order, or do what was asked
 * without an answer. An answer to an object that was evicted meanwhile never arrives.
 */
import type { GrantRequest } from "../../src/ledger/grants.ts";
import { WEBHOOK_URL } from "./scenario.ts";
import type { SimulatedObject } from "./simulated-object.ts";
import type { Condition, World, WorldNetwork } from "./world.ts";

/** What these receive has no id. */
const UNCHECKED_CHANNELS = ["slack", "email"];
const TIMEOUT_MS = 30_000;
const LONG_MS = 2 * 3_600_000;
const SLOWEST_MS = 900_000;

export class ServiceNetwork implements WorldNetwork {
  /** How many requests or answers are on their way. */
  inFlight = 0;
  /** Since when the copy can be written; Infinity while it cannot. */
  normalSinceMs = 0;
  /** The grants that reached the enterprise that referred this one, by id: how often. */
  readonly grantedElsewhere = new Map<string, number>();
  /** The webhooks that reached their receiver, in the order in which they first did. */
  readonly #received: string[] = [];
  #condition: Condition = "normal";
  readonly #givenUp = new Set<string>();
  #receiverFails = false;
  #healed = false;
  #sent = 0;
  #lastApplied = 0;

  constructor(
    readonly world: World,
    /** The instance that is awake and would get an answer. */
    readonly asker: () => SimulatedObject | null,
  ) {}

  /** Changes how the copy answers, for some time. */
  change(condition: Condition, forMs: number): void {
    const { world } = this;
    this.#condition = condition;
    this.normalSinceMs = Number.POSITIVE_INFINITY;
    if (condition === "down") world.count("copy_down");
    if (condition === "down" && forMs >= LONG_MS) world.count("copy_down_for_hours");
    world.later(forMs, () => {
      this.#condition = "normal";
      this.normalSinceMs = world.nowMs;
    });
  }

  failReceiver(forMs: number): void {
    this.#receiverFails = true;
    this.world.later(forMs, () => {
      this.#receiverFails = false;
    });
  }

  heal(): void {
    this.#healed = true;
    this.#condition = "normal";
    this.#receiverFails = false;
  }

  /** Carries a batch to the copy and its answer back. */
  async carry(apply: () => void): Promise<void> {
    const { world } = this;
    const { dice } = world;
    const number = ++this.#sent;
    const normal = this.#condition === "normal";
    if (normal && (this.#healed || dice.chance(0.6))) return this.#apply(apply, number);
    const condition = normal && dice.chance(0.05) ? "unanswered" : this.#condition;
    if (normal && condition === "unanswered") this.normalSinceMs = world.nowMs + TIMEOUT_MS;
    switch (condition) {
      case "normal":
        return this.#applyLater(dice.whole(5, 300), apply, number);
      case "down":
        return this.#answerLater(dice.pick([1, TIMEOUT_MS]), () => fail("D1_ERROR: network connection lost"));
      case "unanswered":
        this.#apply(apply, number);
        world.count("copy_timed_out_after_commit");
        return this.#answerLater(TIMEOUT_MS, () => fail("D1_ERROR: timed out"));
      case "slow": {
        const takesMs = dice.spread(100, SLOWEST_MS);
        world.count("copy_slow");
        const applied = this.#applyLater(takesMs, apply, number);
        return takesMs < TIMEOUT_MS ? applied : this.#answerLater(TIMEOUT_MS, () => fail("D1_ERROR: timed out"));
      }
      default:
        return condition satisfies never;
    }
  }

  /** Sends a message to its receiver, which may fail. Slack gets no id. */
  fetch(url: string, id: string | null): Promise<Response> {
    const { world } = this;
    const fails = !this.#healed && (this.#receiverFails || world.dice.chance(0.1));
    if (!fails && id !== null && !this.#received.includes(id)) this.#received.push(id);
    const delivered = url === WEBHOOK_URL ? "webhook_delivered" : id === null ? "slack_delivered" : "channel_delivered";
    world.count(fails ? "webhook_retried" : delivered);
    return this.#answerLater(world.dice.whole(5, 800), () => {
      if (fails && world.dice.chance(0.5)) throw new TypeError("fetch failed");
      return new Response(null, { status: fails ? 503 : 204 });
    });
  }

  /** Asks whether another enterprise exists: it does, if the answer arrives. */
  findPeer(): Promise<boolean> {
    const { world } = this;
    const arrives = this.#healed || world.dice.chance(0.7);
    return this.#answerLater(
      world.dice.whole(5, 3_000),
      () => arrives || fail("connection lost"),
      () => world.trapJobs(),
    );
  }

  grantElsewhere({ id }: GrantRequest): Promise<{ created: boolean }> {
    const { world } = this;
    const fate = this.#healed ? "arrives" : world.dice.pick(["arrives", "lost", "unanswered"] as const);
    if (fate !== "lost") this.grantedElsewhere.set(id, (this.grantedElsewhere.get(id) ?? 0) + 1);
    return this.#answerLater(world.dice.whole(5, 3_000), () =>
      fate === "arrives" ? { created: true } : fail("connection lost"),
    );
  }

  /** Every webhook that counts as delivered was received, in order; every other one is given up, visibly. */
  checkDelivered(): void {
    const { world } = this;
    const { sql } = world.platform;
    const delivered = "SELECT id, channel FROM webhooks WHERE delivered_at_ms IS NOT NULL ORDER BY number";
    const byChannel = Map.groupBy(sql.all(delivered), ({ channel }) => channel as string);
    for (const [channel, rows] of byChannel) {
      if (UNCHECKED_CHANNELS.includes(channel)) continue;
      // The ids are random, so their positions are compared and shown instead.
      const places = new Map(rows.map(({ id }, place) => [id as string, place]));
      const received = this.#received.flatMap((id) => places.get(id) ?? []);
      world.same(`what was delivered to "${channel}"`, [...places.values()], received);
    }
    world.same("waiting webhooks", sql.all("SELECT 1 FROM webhooks WHERE next_at_ms IS NOT NULL").length, 0);
    this.noteGivenUp();
  }

  /** Counts the webhooks that were given up since the last call. */
  noteGivenUp(): void {
    const { world } = this;
    for (const { id } of world.platform.sql.all("SELECT id FROM webhooks WHERE given_up_at_ms IS NOT NULL")) {
      if (this.#givenUp.has(id as string)) continue;
      this.#givenUp.add(id as string);
      world.count("webhook_given_up");
    }
  }

  #apply(apply: () => void, number: number): void {
    if (number < this.#lastApplied) this.world.count("copy_out_of_order");
    this.#lastApplied = Math.max(number, this.#lastApplied);
    apply();
  }

  #applyLater(delayMs: number, apply: () => void, number: number): Promise<void> {
    const asker = this.asker();
    return this.#answerLater(
      delayMs,
      () => {},
      () => {
        this.#apply(apply, number);
        if (asker?.dead === true) this.world.count("copy_confirm_lost");
      },
    );
  }

  /** Answers the instance that asks now, unless it is evicted by then. `happen` is called in any case. */
  #answerLater<T>(delayMs: number, answer: () => T, happen: () => void = () => {}): Promise<T> {
    this.inFlight += 1;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const asker = this.asker();
    this.world.later(delayMs, () => {
      this.inFlight -= 1;
      happen();
      if (asker?.dead === true) return;
      try {
        resolve(answer());
      } catch (error) {
        reject(error);
      }
      this.world.drain();
    });
    return promise;
  }
}

function fail(message: string): never {
  throw new Error(message);
}
