/**
 * The channels of a simulated enterprise: a webhook that stays, a Slack channel that is paused at times, and an email
 * address that nobody confirms. Their own dice draw them, so a world without channels stays the same.
 */
import { isRefusal } from "../../src/ledger/refusals.ts";
import type { NewChannel } from "../../src/wire/channel.ts";
import { Dice } from "./dice.ts";
import { OPERATOR } from "./keys.ts";
import { DAY_MS } from "./scenario.ts";
import type { World } from "./world.ts";

const SITE = "https://fuel.example.com";
const STAYS = "stays";
const PUTS = 6;
/** The log of messages keeps them for longer. */
const LOOK_EVERY_MS = 7 * DAY_MS;

export class SimulatedChannels {
  readonly #dice: Dice;
  readonly #some: boolean;
  /** The codes of the messages to the channel that stays, by their numbers. */
  readonly #codes = new Map<number, string>();

  constructor(
    readonly world: World,
    seed: number,
  ) {
    this.#dice = new Dice(seed + 0xc4a);
    this.#some = this.#dice.chance(0.5);
  }

  begin(): void {
    const { world } = this;
    for (let atMs = world.nowMs; atMs < world.endMs; atMs += LOOK_EVERY_MS) world.at(atMs, () => this.#look());
    if (!this.#some) return;
    this.#put(STAYS, { kind: "webhook", target: "https://receiver.example.com/fuel" });
    const { days } = world.scenario;
    for (let i = 0; i < PUTS; i++) {
      world.at(world.nowMs + this.#dice.whole(0, days * DAY_MS), () => {
        const active = this.#dice.chance(0.7);
        if (this.#dice.chance(0.7))
          this.#put("slack", { target: "https://hooks.slack.example.com/T0/B0/secret", active });
        else this.#put("email", { kind: "email", target: "ops@example.com" });
      });
    }
  }

  /** A channel gets "exhausted" and "recovered" in turns. */
  check(): void {
    const { world } = this;
    this.#look();
    const codes = [...this.#codes].sort(([a], [b]) => a - b).map(([, code]) => code);
    for (const [i, code] of codes.entries()) {
      if (code === codes[i - 1]) world.fail(`a channel gets "${code}" twice in a row`);
      world.count(code === "exhausted" ? "channel_exhausted" : "channel_recovered");
    }
  }

  /** Notes the messages before the log forgets them. After a restore, other messages have the numbers of later ones. */
  #look(): void {
    const { platform } = this.world;
    platform.network.noteGivenUp();
    const rows = platform.sql.all("SELECT number, body FROM webhooks WHERE channel = ? ORDER BY number", STAYS);
    const first = (rows[0]?.number ?? Infinity) as number;
    for (const number of this.#codes.keys()) if (number >= first) this.#codes.delete(number);
    for (const { number, body } of rows) {
      const { code } = (JSON.parse(body as string) as { data: { code: string } }).data;
      if (code === "exhausted" || code === "recovered") this.#codes.set(number as number, code);
    }
  }

  #put(id: string, over: Partial<NewChannel>): void {
    const { world } = this;
    const channel: NewChannel = {
      kind: "slack",
      target: "",
      events: null,
      thresholds: [50, 90],
      active: true,
      rotateSecret: false,
      ...over,
    };
    world.call(
      `channel ${id}`,
      ({ core }) => {
        const put = core.notifications.putChannel(OPERATOR, id, channel, SITE);
        // The secret is random, and a seed must repeat every answer.
        return isRefusal(put) ? put.refusal.code : "put";
      },
      (_, answer) => {
        world.count("channel_put");
        if (answer !== null) world.same(`channel ${id}`, answer, "put");
      },
    );
  }
}
