// Invariant D2: the copy ends the same, whatever happens to the batches on their way.
import { expect, it } from "vitest";
import type { Batch } from "../../src/copy/batch.ts";
import { writeBatch } from "../../src/copy/write.ts";
import { putDirectory } from "../../src/enterprise/books/directory.ts";
import type { Ledger } from "../../src/enterprise/books/ledger.ts";
import { confirmBatch } from "../../src/enterprise/copy/projection.ts";
import { shuffled } from "../../tools/kit/random.ts";
import { DAY_MS, debit, NOON, openBooks, report } from "../support/books.ts";
import { takeWaiting } from "../support/take-batch.ts";
import { CopyDb } from "./copy-db.ts";
import { faultsOf } from "./copy-faults.ts";
import { Dice } from "./dice.ts";

const SEED = 20_261_123;
const STORIES = 60;

/** Agents report, names change, and sometimes a batch is taken, and confirmed or not. */
function runStory(ledger: Ledger, dice: Dice): Batch[] {
  const batches: Batch[] = [];
  for (let step = 1; step <= 30; step++) {
    ledger.moveClock(NOON + step * DAY_MS);
    if (dice.chance(0.2)) ledger.changeSettings({ name: `Acme ${step}` }, "operator");
    const run = `r${dice.whole(1, 4)}`;
    debit(ledger, report(step * 10, { run, final: dice.chance(0.1), startedAtMs: ledger.nowMs() }));
    const name = `Name ${step}`;
    if (dice.chance(0.2)) putDirectory(ledger.sql, { workspaces: [], groups: [], users: [{ id: "u1", name }] });
    const batch = dice.chance(0.4) ? takeWaiting(ledger) : null;
    if (batch === null) continue;
    batches.push(batch);
    if (dice.chance(0.5)) confirmBatch(ledger, batch);
  }
  const last = takeWaiting(ledger);
  return last === null ? batches : [...batches, last];
}

it("ends in the same copy when batches are repeated, late or out of order", async () => {
  const dice = new Dice(SEED);
  const random = () => dice.whole(0, 999_999) / 1_000_000;
  for (let story = 0; story < STORIES; story++) {
    const ledger = openBooks();
    const copy = new CopyDb(async (apply) => apply());
    const batches = runStory(ledger, dice);
    const repeated = batches.filter(() => dice.chance(0.3));
    for (const batch of shuffled(random, [...batches, ...repeated])) await writeBatch(copy, batch);
    // Once everything is confirmed, the comparison allows no difference.
    for (const batch of batches) confirmBatch(ledger, batch);
    expect(await faultsOf(ledger, copy)).toEqual([]);
    const [head] = copy.rows("SELECT name, gauge ->> 'seq' AS seq FROM enterprises");
    expect(head).toEqual({ name: ledger.books.settings.name, seq: ledger.books.seq });
    copy.close();
  }
});
