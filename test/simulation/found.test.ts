// Bugs that the simulation has found, each reduced to its smallest case. Those of the alarm are in
// test/enterprise/jobs/runner.test.ts.
import { expect, it } from "vitest";
import { writeBatch } from "../../src/copy/write.ts";
import type { Ledger } from "../../src/enterprise/books/ledger.ts";
import { confirmBatch } from "../../src/enterprise/copy/projection.ts";
import { prune } from "../../src/enterprise/jobs/pruning.ts";
import { APRIL, codeOf, DAY_MS, debit, granted, NOON, openBooks, report, start, tokens } from "../support/books.ts";
import { takeWaiting } from "../support/take-batch.ts";
import { CopyDb } from "./copy-db.ts";
import { faultsOf } from "./copy-faults.ts";

const fairNetwork = async (apply: () => void) => apply();

async function copyAll(ledger: Ledger, copy: CopyDb): Promise<void> {
  for (let batch = takeWaiting(ledger); batch !== null; batch = takeWaiting(ledger)) {
    await writeBatch(copy, batch);
    confirmBatch(ledger, batch);
  }
}

it("keeps a run that costs nothing in the cycle of its last report, also after the turn", async () => {
  const ledger = openBooks();
  const copy = new CopyDb(fairNetwork);
  debit(ledger, report(10, { run: "given back" }));
  debit(ledger, report(0, { run: "given back", usage: tokens(), final: true }));
  debit(ledger, report(0, { run: "free" }));
  granted(ledger.start(start({ run: "silent" })));
  await copyAll(ledger, copy);
  const cycles = () => copy.rows("SELECT run, cycle_starts_at_ms FROM runs WHERE enterprise = 'acme' ORDER BY run");
  const before = cycles();
  ledger.moveClock(APRIL + 1);
  await copyAll(ledger, copy);
  expect(await faultsOf(ledger, copy)).toEqual([]);
  expect(cycles()).toEqual(before);
});

it("keeps the unit of a run that has reported nothing, also after the billing model changes", async () => {
  const ledger = openBooks();
  const copy = new CopyDb(fairNetwork);
  granted(ledger.start(start({ run: "silent" })));
  await copyAll(ledger, copy);
  granted(ledger.changeSettings({ billingModel: "byom" }, "operator"));
  await copyAll(ledger, copy);
  expect(await faultsOf(ledger, copy)).toEqual([]);
});

it("deletes a run 400 days after it started, and then accepts any attribution of its name", () => {
  const ledger = openBooks();
  debit(ledger, report(10, { run: "ancient" }));
  ledger.moveClock(NOON + 401 * DAY_MS);
  const askAsAnother = () => ledger.start(start({ run: "ancient", user: "somebody else", startedAtMs: NOON }));
  expect(codeOf(askAsAnother())).toBe("run_attribution_conflict");
  prune(ledger);
  expect(codeOf(askAsAnother())).toBe("run_too_old");
});
