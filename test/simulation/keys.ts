/**
 * The enterprise's keys: made, revoked, and used after they were revoked. Every report checks its key, and the check
 * must be right at once, also after the object was evicted or its storage failed.
 */
import type { Caller } from "../../src/access/callers.ts";
import type { World } from "./world.ts";

export const OPERATOR: Caller = { kind: "operator" };
const FEW = 3;

export class Keys {
  /** Every key that was made, and whether it is still valid. */
  readonly #valid = new Map<string, boolean>();

  constructor(readonly world: World) {}

  begin(): void {
    while (this.#valid.size === 0) this.#add();
  }

  isValid(key: string): boolean {
    return this.#valid.get(key) === true;
  }

  /** A key for an agent to use: mostly a valid one, sometimes any. */
  draw(): string {
    const { dice } = this.world;
    const all = [...this.#valid.keys()];
    return dice.chance(0.96) ? (all.findLast((key) => this.isValid(key)) as string) : dice.pick(all);
  }

  callerOf(key: string): Caller {
    return { kind: "key", id: key, hash: hashOf(key), scopes: ["debit"] };
  }

  /** Makes a key, revokes one, or both; at least one stays valid. */
  change(): void {
    if (this.#valid.size < FEW || this.world.dice.chance(0.5)) this.#add();
    const valid = [...this.#valid.keys()].filter((key) => this.isValid(key));
    if (valid.length > 1) this.#revoke(valid[0] as string);
  }

  #add(): void {
    const { world } = this;
    const id = `k${this.#valid.size + 1}`;
    const key = { id, name: id, scopes: ["debit"] as const, hash: hashOf(id), expiresAtMs: null };
    world.call(
      `key ${id}`,
      ({ core }) => core.access.addKey(OPERATOR, key),
      () => this.#valid.set(id, true),
    );
  }

  #revoke(id: string): void {
    const { world } = this;
    world.call(
      `revoke ${id}`,
      ({ core }) => core.access.revokeKey(OPERATOR, id),
      () => {
        world.count("key_revoked");
        this.#valid.set(id, false);
      },
    );
  }
}

function hashOf(key: string): string {
  return `hash of ${key}`;
}
