/**
 * What happened in a world, line by line: a hash over all lines, which proves that a seed replays the same world, and
 * the last lines, which show what led to a violation.
 */
import { createHash } from "node:crypto";

const KEPT_LINES = 60;
const SHOWN_CHARS = 600;

/** The ledger, or the simulator itself, violates the contract. */
export class Violation extends Error {}

export class Trace {
  readonly #hash = createHash("sha256");
  readonly #tail: string[] = [];
  lines = 0;

  add(line: string): void {
    this.#hash.update(line);
    this.lines += 1;
    this.#tail.push(line);
    if (this.#tail.length > KEPT_LINES) this.#tail.shift();
  }

  get hash(): string {
    return this.#hash.copy().digest("hex").slice(0, 16);
  }

  get tail(): string[] {
    return this.#tail.map((line) => (line.length > SHOWN_CHARS ? `${line.slice(0, SHOWN_CHARS)} …` : line));
  }
}
