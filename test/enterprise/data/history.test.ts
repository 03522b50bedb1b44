// Importing history while the copy is behind: an import waits for it, and what the copy says about its age stays true.
import { beforeEach, describe, expect, it } from "vitest";
import { confirmBatch, copyAsOfMs } from "../../../src/enterprise/copy/projection.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { report, settings } from "../../support/books.ts";
import { takeWaiting } from "../../support/take-batch.ts";
import { type StubPlatform, stubPlatform } from "../stub-platform.ts";

const ROWS_PER_CALL = 1_000;

let platform: StubPlatform;
let core: EnterpriseCore;
/** How often an import has waited. */
let waits: number;

beforeEach(() => {
  waits = 0;
  platform = stubPlatform({
    defer: (act) => {
      waits += 1;
      queueMicrotask(act);
      return () => {};
    },
  });
  core = new EnterpriseCore(platform);
  const complete = settings({ allowanceOverrideMicros: 1_000_000 });
  core.management.provision("acme", complete, complete, null);
});

/** Imports as many rows as one call may have, each with another user. */
function importRows(call: number) {
  const rows = Array.from({ length: ROWS_PER_CALL }, (_, i) => ({
    ...{ day: "2026-02-10", surface: "web" as const, workspace: "w1", group: "none", user: `u${call}-${i}` },
    ...{ model: "gpt-5", requests: 1, amountMicros: 10, usage: {} },
  }));
  return core.data.importHistory({ unit: "credits", rows });
}

/** Lets the copy confirm everything. */
function project(): void {
  for (let batch = takeWaiting(core.ledger); batch !== null; batch = takeWaiting(core.ledger)) {
    confirmBatch(core.ledger, batch);
  }
}

describe("an import", () => {
  it("does not wait while the copy lacks a few thousand changes", async () => {
    for (let call = 0; call < 6; call++) expect(await importRows(call)).toEqual({ rows: ROWS_PER_CALL });
    expect(waits).toBe(0);
  });

  it("waits while the copy lacks more, and goes on when it has them", async () => {
    for (let call = 0; call < 6; call++) await importRows(call);
    core.ledger.debit([report(10, { run: "r1" })]);
    let ended = false;
    const last = importRows(6).then((answer) => {
      ended = true;
      return answer;
    });
    await Promise.resolve();
    expect([waits > 0, ended]).toEqual([true, false]);
    project();
    expect(await last).toEqual({ rows: ROWS_PER_CALL });
    expect(waits).toBeLessThan(200);
  });

  it("goes on after ten seconds when D1 is down", async () => {
    for (let call = 0; call < 8; call++) expect(await importRows(call)).toEqual({ rows: ROWS_PER_CALL });
    expect(waits).toBe(400);
  });
});

describe("the age of the copy", () => {
  it("is that of the oldest debit that it lacks, also behind imported rows, which are of long ago", async () => {
    await importRows(0);
    platform.nowMs += 5_000;
    expect(copyAsOfMs(core.ledger)).toBe(platform.nowMs);
    core.ledger.debit([report(10, { run: "r1" })]);
    const debitedAtMs = platform.nowMs;
    platform.nowMs += 5_000;
    expect(copyAsOfMs(core.ledger)).toBe(debitedAtMs);
    project();
    expect(copyAsOfMs(core.ledger)).toBe(platform.nowMs);
  });
});
