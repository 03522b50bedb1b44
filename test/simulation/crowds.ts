/**
 * Crowds: many holds and many grants that end at one instant. In the simulation a change ends three holds and two grants
 * at most, so a crowd takes many changes, and every answer between them must be exact. Their own dice draw them.
 */
import type { StartRequest } from "../../src/ledger/admission.ts";
import { Dice } from "./dice.ts";
import { DAY_MS } from "./scenario.ts";
import type { World } from "./world.ts";

const CROWDS = 3;
type Acts = { start(request: StartRequest): void; grant(id: string, micros: number, expiresAtMs: number): void };

export class Crowds {
  readonly #dice: Dice;
  #made = 0;

  constructor(
    readonly world: World,
    seed: number,
    readonly acts: Acts,
  ) {
    this.#dice = new Dice(seed + 0xc20d);
  }

  begin(): void {
    const { world } = this;
    // A crowd may spend more than its holds when a clock goes back, and grants end.
    if (world.scenario.disciplined) return;
    for (let i = 0; i < CROWDS; i++) {
      world.at(world.nowMs + this.#dice.whole(0, world.scenario.days * DAY_MS), () => this.#gather());
    }
  }

  #gather(): void {
    const { world } = this;
    const { booksNowMs } = world;
    const seconds = this.#dice.whole(1, 3_600);
    const crowd = ++this.#made;
    const size = this.#dice.whole(10, 40);
    for (let i = 0; i < size; i++) {
      this.acts.start({
        ...{ run: `crowd-${crowd}-${i}`, surface: "cli", workspace: `w${(i % 6) + 1}`, user: "u1@example.com" },
        ...{
          group: undefined,
          startedAtMs: booksNowMs,
          holdMicros: this.#dice.whole(1, 50),
          holdTtlMs: seconds * 1_000,
        },
      } as StartRequest);
    }
    const grants = this.#dice.whole(3, 9);
    for (let i = 0; i < grants; i++) {
      this.acts.grant(`crowd-${crowd}-${i}`, this.#dice.whole(1, 9), booksNowMs + seconds * 1_000);
    }
  }
}
