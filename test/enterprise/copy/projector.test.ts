// R15: a batch that D1 refuses is not repeated for ever, a slow D1 is given pauses, and every call of D1 ends.
import { expect, it } from "vitest";
import { timedD1 } from "../../../src/copy/timed-d1.ts";
import type { CopyWriter } from "../../../src/enterprise/copy/copy-writer.ts";
import { Projector } from "../../../src/enterprise/copy/projector.ts";
import { debit, openBooks, report } from "../../support/books.ts";
import { stubPlatform } from "../stub-platform.ts";

const DEBITS = 64;

/** A projector whose D1 takes batches of at most `maxRuns` runs, each in `writeMs`. */
function openProjector({ maxRuns = Number.POSITIVE_INFINITY, writeMs = 0 } = {}) {
  const ledger = openBooks();
  const platform = stubPlatform();
  for (let n = 0; n < DEBITS; n++) debit(ledger, report(1, { run: `r${n}` }));
  const tried: number[] = [];
  const writer = {
    inTurn: <T>(act: () => Promise<T>) => act(),
    write: async ({ runs }: { runs: readonly unknown[] }, confirm: () => void) => {
      tried.push(runs.length);
      platform.nowMs += writeMs;
      if (runs.length > maxRuns) throw new Error("D1_ERROR: the batch is too large");
      confirm();
      return {};
    },
  };
  const projector = new Projector(ledger, platform, writer as unknown as CopyWriter, () => {});
  return { ledger, platform, projector, tried };
}

it("halves the batches that D1 refuses until it accepts them, and tries larger ones again afterwards", async () => {
  const { ledger, projector, tried } = openProjector({ maxRuns: 10 });
  for (let n = 0; n < 100 && ledger.sql.all("SELECT 1 FROM outbox_items LIMIT 1").length > 0; n++) {
    await projector.project().catch(() => {});
  }
  const accepted = tried.filter((runs) => runs <= 10);
  expect(accepted.reduce((sum, runs) => sum + runs, 0)).toBe(DEBITS);
  expect(tried[0]).toBe(DEBITS);
  expect(tried.length).toBeLessThan(40);
  expect(accepted.length).toBeGreaterThan(1);
});

it("gives D1 a pause as long as a slow write took", async () => {
  const { platform, projector } = openProjector({ writeMs: 3_000 });
  await projector.project();
  expect(projector.notBeforeMs).toBe(platform.nowMs + 3_000);
});

it("keeps up with new runs while D1 is slow", async () => {
  const { ledger, projector } = openProjector({ writeMs: 600 });
  for (let n = 0; n < 200; n++) debit(ledger, report(1, { run: `waiting-${n}` }));
  for (let turn = 0; turn < 10; turn++) {
    await projector.project();
    for (let n = 0; n < 100; n++) debit(ledger, report(1, { run: `new-${turn}-${n}` }));
  }
  const [waiting] = ledger.sql.all("SELECT count(*) AS n FROM outbox_items");
  expect(waiting?.n).toBeLessThan(500);
});

it("logs a portion that takes longer than five seconds, but not many quick portions in a row", async () => {
  const slow = openProjector({ writeMs: 6_000 });
  await slow.projector.project();
  expect(slow.platform.logged).toEqual([{ event: "copy_slow", enterprise: slow.ledger.id, ms: 6_000 }]);

  const quick = openProjector({ writeMs: 490 });
  for (let n = 0; n < 2_000; n++) debit(quick.ledger, report(1, { run: `more-${n}` }));
  const startedMs = quick.platform.nowMs;
  await quick.projector.project();
  expect(quick.platform.nowMs - startedMs).toBeGreaterThan(5_000);
  expect(quick.platform.logged).toEqual([]);
});

it("gives D1 no pause after a quick write", async () => {
  const { projector } = openProjector({ writeMs: 100 });
  await projector.project();
  expect(projector.notBeforeMs).toBe(0);
});

it("ends every call of D1 with a copy error after the limit, if D1 does not answer", async () => {
  const { copy } = stubPlatform();
  const limits: number[] = [];
  const d1 = timedD1(
    () => copy as D1Database,
    5_000,
    (act, delayMs) => {
      limits.push(delayMs);
      queueMicrotask(act);
    },
  );
  const statement = d1.prepare("SELECT 1").bind();
  const calls = [statement.all(), statement.run(), statement.raw(), statement.first("x"), d1.batch([statement])];
  for (const call of calls) await expect(call).rejects.toThrow("CopyTimeout");
  expect(limits).toEqual(calls.map(() => 5_000));
});
