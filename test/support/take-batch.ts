/** Takes what waits for the copy as one batch, as if everything fitted into one. */
import type { Batch } from "../../src/copy/batch.ts";
import type { Ledger } from "../../src/enterprise/books/ledger.ts";
import { nextPortion, takeBatch } from "../../src/enterprise/copy/projection.ts";

/** @param items how many changes the batch may have; a single commit with more is a separate batch */
export function takeWaiting(ledger: Ledger, items = 1_000): Batch | null {
  const portion = nextPortion(ledger, { items, runs: Number.POSITIVE_INFINITY, totals: Number.POSITIVE_INFINITY });
  while (portion.gather(items));
  return takeBatch(ledger, portion, Number.POSITIVE_INFINITY);
}
