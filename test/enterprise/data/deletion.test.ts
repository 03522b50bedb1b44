// The steps of a deletion: pages, an instance that is cut off, and a batch for the copy that arrives late.
import { beforeEach, expect, it } from "vitest";
import { writeBatch } from "../../../src/copy/write.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { report, settings } from "../../support/books.ts";
import { takeWaiting } from "../../support/take-batch.ts";
import { type StubPlatform, stubPlatform } from "../stub-platform.ts";

let platform: StubPlatform;
let copy: CopyDb;
/** Whether a batch fails for the object, although D1 may apply it later. */
let batchesFail: boolean;

beforeEach(() => {
  batchesFail = false;
  copy = new CopyDb(async (apply) => {
    if (batchesFail) throw new Error("D1 has not answered");
    apply();
  });
  platform = stubPlatform({ copy });
});

function openCore(): EnterpriseCore {
  return new EnterpriseCore(platform);
}

async function newCore(runs: number): Promise<EnterpriseCore> {
  const core = openCore();
  const complete = settings({ allowanceOverrideMicros: 1_000_000_000 });
  core.management.provision("acme", complete, complete, null);
  for (let i = 0; i < runs; i += 500) {
    core.ledger.debit(Array.from({ length: Math.min(500, runs - i) }, (_, j) => report(1, { run: `r${i + j}` })));
  }
  await core.alarm();
  return core;
}

const rowsLeft = () =>
  ["enterprises", "runs", "usage_hourly", "usage_by_dimension", "entries", "enterprise_search"].filter(
    (table) =>
      copy.rows(`SELECT 1 FROM ${table} WHERE ${table === "enterprises" ? "id" : "enterprise"} = 'acme'`).length > 0,
  );

it("deletes a large copy page by page, and nothing of another enterprise", async () => {
  const core = await newCore(2_500);
  expect(rowsLeft()).toHaveLength(6);
  expect(await core.data.deleteStep("acme")).toEqual({ done: true, pauseMs: 0 });
  expect(rowsLeft()).toEqual([]);
  expect(copy.rows("SELECT * FROM runs")).toHaveLength(1);
});

it("refuses every call from the first step on, also in a new instance, and never sets an alarm again", async () => {
  const core = await newCore(1);
  platform.copy = {
    prepare: () => {
      throw new Error("D1 cannot be reached");
    },
    batch: () => new Promise(() => {}),
  };
  await expect(core.data.deleteStep("acme")).rejects.toThrow("D1 cannot be reached");
  const alarms = platform.alarms.length;
  for (const instance of [core, openCore()]) {
    expect(instance.gauge({ kind: "operator" })).toEqual({ refusal: { code: "not_found" } });
    const created = instance.management.provision("acme", settings(), settings(), null);
    expect(created).toEqual({ refusal: { code: "enterprise_deleted" } });
    await instance.alarm();
  }
  expect(platform.alarms.length).toBe(alarms);
});

it("writes nothing back when a batch arrives late, and waits until none can arrive", async () => {
  const core = await newCore(1);
  core.ledger.debit([report(5)]);
  batchesFail = true;
  const late = takeWaiting(core.ledger);
  await core.alarm();
  batchesFail = false;
  const { done, pauseMs } = await core.data.deleteStep("acme");
  expect(done).toBe(false);
  expect(pauseMs).toBeGreaterThan(30_000);
  if (late !== null) await writeBatch(copy, late);
  expect(rowsLeft()).toEqual(["enterprises"]);
  platform.nowMs += pauseMs;
  expect(await core.data.deleteStep("acme")).toEqual({ done: true, pauseMs: 0 });
  expect(rowsLeft()).toEqual([]);
});

it("waits in an instance that does not know what an earlier one was writing", async () => {
  await newCore(1);
  const first = openCore();
  first.ledger.beginDeletion();
  const second = openCore();
  const { done, pauseMs } = await second.data.deleteStep("acme");
  expect(done).toBe(false);
  platform.nowMs += pauseMs;
  expect(await second.data.deleteStep("acme")).toEqual({ done: true, pauseMs: 0 });
});
