/**
 * The enterprise's keys: made, revoked, and tried after they were revoked. Whether one is good is asked at every
 * report, and must be answered rightly at once, whatever became of the object in between.
 */
import type { Caller } from "../../src/access/callers.ts";
import type { World } from "./world.ts";

export const OPERATOR: Caller = { kind: "operator" };
const FEW = 3;

export class Keys {
  /** Every key that was made: whether it may still enter. */
  readonly #good = new Map<string, boolean>();

  constructor(readonly world: World) {}

  begin(): void {
    while (this.#good.size === 0) this.#add();
  }

  isGood(key: string): boolean {
    return this.#good.get(key) === true;
  }

  /** A key that an agent uses: a good one, or once in a while any. */
  draw(): string {
    const { dice } = this.world;
    const all = [...this.#good.keys()];
    return dice.chance(0.96) ? (all.findLast((key) => this.isGood(key)) as string) : dice.pick(all);
  }

  callerOf(key: string): Caller {
    return { kind: "key", id: key, hash: hashOf(key), scopes: ["debit"] };
  }

  /** Makes a key, revokes one, or both; one stays good. */
  change(): void {
    if (this.#good.size < FEW || this.world.dice.chance(0.5)) this.#add();
    const good = [...this.#good.keys()].filter((key) => this.isGood(key));
    if (good.length > 1) this.#revoke(good[0] as string);
  }

  #add(): void {
    const { world } = this;
    const id = `k${this.#good.size + 1}`;
    const key = { id, name: id, scopes: ["debit"] as const, hash: hashOf(id), expiresAtMs: null };
    world.call(
      `key ${id}`,
      ({ core }) => core.addKey(OPERATOR, key),
      () => this.#good.set(id, true),
    );
  }

  #revoke(id: string): void {
    const { world } = this;
    world.call(
      `revoke ${id}`,
      ({ core }) => core.revokeKey(OPERATOR, id),
      () => {
        world.saw("key_revoked");
        this.#good.set(id, false);
      },
    );
  }
}

function hashOf(key: string): string {
  return `hash of ${key}`;
}
