/**
 * The network between the object and what it writes to: the copy in D1, the receiver of webhooks, another enterprise.
 * In fair weather all answer soon; in bad weather they are down, slow, apply late and out of order, or answer nothing
 * though they did what was asked. An answer to an object that was evicted meanwhile never comes.
 */
import type { GrantRequest } from "../../src/ledger/grants.ts";
import type { SimulatedObject } from "./simulated-object.ts";
import type { World } from "./world.ts";

export type Weather = "fair" | "down" | "slow" | "deaf";

const TIMEOUT_MS = 30_000;
const LONG_MS = 2 * 3_600_000;
const SLOWEST_MS = 900_000;

export class NetworkWeather {
  /** Batches on their way to the copy, and answers on their way back. */
  inFlight = 0;
  /** Since when nothing hinders the copy; infinite while something does. */
  fairSinceMs = 0;
  /** The grants that came to the enterprise which referred this one: by id, how often. */
  readonly grantedElsewhere = new Map<string, number>();
  /** The webhooks that their receiver has got, in the order in which it first did. */
  readonly #received: string[] = [];
  #weather: Weather = "fair";
  #receiverFails = false;
  #healed = false;
  #sent = 0;
  #lastApplied = 0;

  constructor(
    readonly world: World,
    /** Who is awake and would get an answer. */
    readonly asker: () => SimulatedObject | null,
  ) {}

  /** Changes how the copy answers, for so long. */
  change(weather: Weather, forMs: number): void {
    const { world } = this;
    this.#weather = weather;
    this.fairSinceMs = Number.POSITIVE_INFINITY;
    if (weather === "down") world.saw("copy_down");
    if (weather === "down" && forMs >= LONG_MS) world.saw("copy_down_for_hours");
    world.later(forMs, () => {
      this.#weather = "fair";
      this.fairSinceMs = world.nowMs;
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
    this.#weather = "fair";
    this.#receiverFails = false;
  }

  /** Carries a batch to the copy, and the answer back. */
  async carry(apply: () => void): Promise<void> {
    const { world } = this;
    const { dice } = world;
    const number = ++this.#sent;
    const fair = this.#weather === "fair";
    if (fair && (this.#healed || dice.chance(0.6))) return this.#apply(apply, number);
    const weather = fair && dice.chance(0.05) ? "deaf" : this.#weather;
    if (fair && weather === "deaf") this.fairSinceMs = world.nowMs + TIMEOUT_MS;
    switch (weather) {
      case "fair":
        return this.#applyLater(dice.whole(5, 300), apply, number);
      case "down":
        return this.#answerLater(dice.pick([1, TIMEOUT_MS]), () => fail("D1_ERROR: network connection lost"));
      case "deaf":
        this.#apply(apply, number);
        world.saw("copy_timed_out_after_commit");
        return this.#answerLater(TIMEOUT_MS, () => fail("D1_ERROR: timed out"));
      case "slow": {
        const takesMs = dice.spread(100, SLOWEST_MS);
        world.saw("copy_slow");
        const applied = this.#applyLater(takesMs, apply, number);
        return takesMs < TIMEOUT_MS ? applied : this.#answerLater(TIMEOUT_MS, () => fail("D1_ERROR: timed out"));
      }
      default:
        return weather satisfies never;
    }
  }

  /** The receiver of webhooks answers, or does not. */
  fetch(id: string): Promise<Response> {
    const { world } = this;
    const fails = !this.#healed && (this.#receiverFails || world.dice.chance(0.1));
    if (!fails && !this.#received.includes(id)) this.#received.push(id);
    world.saw(fails ? "webhook_retried" : "webhook_delivered");
    return this.#answerLater(world.dice.whole(5, 800), () => {
      if (fails && world.dice.chance(0.5)) throw new TypeError("fetch failed");
      return new Response(null, { status: fails ? 503 : 204 });
    });
  }

  /** Whether another enterprise exists: it does, if its answer arrives. */
  findPeer(): Promise<boolean> {
    const { world } = this;
    const arrives = this.#healed || world.dice.chance(0.7);
    return this.#answerLater(
      world.dice.whole(5, 3_000),
      () => arrives || fail("connection lost"),
      () => world.trapJobs(),
    );
  }

  grantElsewhere({ id }: GrantRequest): Promise<unknown> {
    const { world } = this;
    const fate = this.#healed ? "arrives" : world.dice.pick(["arrives", "lost", "unanswered"] as const);
    if (fate !== "lost") this.grantedElsewhere.set(id, (this.grantedElsewhere.get(id) ?? 0) + 1);
    return this.#answerLater(world.dice.whole(5, 3_000), () => (fate === "arrives" ? {} : fail("connection lost")));
  }

  /** What counts as delivered was received, in order; what was not is given up for all to see. */
  checkDelivered(): void {
    const { world } = this;
    const { sql } = world.platform;
    const delivered = sql.all("SELECT id FROM webhooks WHERE delivered_at_ms IS NOT NULL ORDER BY number");
    const ids = delivered.map((row) => row.id as string);
    const kept = new Set(ids);
    // The ids are random, so their places are compared, and shown, instead.
    const places = new Map(ids.map((id, place) => [id, place]));
    const received = this.#received.filter((id) => kept.has(id)).map((id) => places.get(id));
    world.same("delivered webhooks", [...places.values()], received);
    world.same("waiting webhooks", sql.all("SELECT 1 FROM webhooks WHERE next_at_ms IS NOT NULL").length, 0);
    world.saw("webhook_given_up", sql.all("SELECT 1 FROM webhooks WHERE given_up_at_ms IS NOT NULL").length);
  }

  #apply(apply: () => void, number: number): void {
    if (number < this.#lastApplied) this.world.saw("copy_out_of_order");
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
        if (asker?.dead === true) this.world.saw("copy_confirm_lost");
      },
    );
  }

  /** Answers the object that asks now, unless it has been evicted by then; `happen` happens in any case. */
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
