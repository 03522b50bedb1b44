// R11: the usage cube adds what was used since the last batch to what it has.
import { expect, it } from "vitest";
import type { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { confirmBatch, takeBatch } from "../../../src/enterprise/copy/projection.ts";
import { debit, openBooks, report } from "../../support/books.ts";

/** Sends what the copy lacks. Returns the cells of the cube and the totals of models that were sent. */
function send(ledger: Ledger) {
  const batch = takeBatch(ledger);
  if (batch === null) throw new Error("there is nothing to send");
  confirmBatch(ledger, batch);
  const { cells, models } = batch.totals;
  return { cells, models };
}

it("adds later usage of the same day and combination to the cell that was sent before", () => {
  const ledger = openBooks();
  debit(ledger, report(100));
  expect(send(ledger)).toMatchObject({
    cells: [{ amountMicros: 100, requests: 1, kinds: { input: [100, 100] }, hours: { 720: 100 } }],
    models: [{ cycleMicros: 100, modelRequests: 1, kinds: { input: [100, 100] } }],
  });
  debit(ledger, report(250));
  debit(ledger, report(40, { run: "another" }));
  expect(send(ledger)).toMatchObject({
    cells: [{ amountMicros: 290, cycleMicros: 290, requests: 2, kinds: { input: [290, 290] }, hours: { 720: 290 } }],
    models: [{ cycleMicros: 290, modelRequests: 2, kinds: { input: [290, 290] } }],
  });
});
