// When the object of an enterprise that follows the real clock asks the catalog what its plan gives.
import { expect, it } from "vitest";
import { EnterpriseCore } from "../../src/enterprise/core.ts";
import type { Platform } from "../../src/enterprise/platform.ts";
import type { Plan } from "../../src/ledger/plans.ts";
import { settings } from "../support/books.ts";
import { failingCopy, stubPlatform } from "./stub-platform.ts";

const MINUTE_MS = 60_000;
const pro = (allowanceMicros: number): Plan => ({ id: "pro", name: "Pro", allowanceMicros, free: false });

function openCore(over: Partial<Platform> = {}) {
  const asked: number[] = [];
  const platform = stubPlatform({
    copy: failingCopy,
    plans: async () => {
      asked.push(platform.nowMs);
      if (catalogue.fails) throw new Error("connection lost");
      return catalogue.plans;
    },
    ...over,
  });
  const catalogue = { plans: [pro(1_000)], fails: false };
  const core = new EnterpriseCore(platform);
  const plain = settings({ allowanceOverrideMicros: null });
  core.management.provision("acme", {}, plain, null, catalogue.plans);
  const { endsAtMs } = core.ledger.books.cycle;
  return { core, platform, catalogue, asked, endsAtMs };
}

it("asks before a turn that the alarm runs", async () => {
  const { core, platform, catalogue, asked, endsAtMs } = openCore();
  catalogue.plans = [pro(2_000)];
  platform.nowMs = endsAtMs;
  await core.alarm();
  expect(core.ledger.books.cycle).toMatchObject({ startsAtMs: endsAtMs, allowanceMicros: 2_000 });
  expect(asked).toEqual([endsAtMs]);
});

it("asks once in the last twenty minutes of a cycle, so that a turn that a request runs has the terms of then", async () => {
  const { core, platform, catalogue, asked, endsAtMs } = openCore();
  platform.nowMs = endsAtMs - 21 * MINUTE_MS;
  await core.alarm();
  expect(asked).toEqual([]);
  catalogue.plans = [pro(2_000)];
  platform.nowMs = endsAtMs - 10 * MINUTE_MS;
  await core.alarm();
  await core.alarm();
  expect(asked).toEqual([platform.nowMs]);
  expect(core.ledger.books.cycle.allowanceMicros).toBe(1_000);
  platform.nowMs = endsAtMs;
  expect(core.ledger.gauge().monthly?.allowanceMicros).toBe(2_000);
});

it("waits two seconds at most for the catalog, and then uses what was read last", async () => {
  const pausesMs: number[] = [];
  const { core, platform, endsAtMs } = openCore({
    plans: () => new Promise(() => {}),
    defer: (act, delayMs) => {
      pausesMs.push(delayMs);
      const timer = setTimeout(act, 0);
      return () => clearTimeout(timer);
    },
  });
  platform.nowMs = endsAtMs;
  await core.alarm();
  expect(pausesMs[0]).toBe(2_000);
  expect(core.ledger.books.cycle).toMatchObject({ startsAtMs: endsAtMs, allowanceMicros: 1_000 });
});

it("raises the allowance at the next PUT even if the larger plan was read before", async () => {
  const { core, platform, catalogue, endsAtMs } = openCore();
  catalogue.plans = [pro(2_000)];
  platform.nowMs = endsAtMs - 10 * MINUTE_MS;
  await core.alarm();
  core.management.provision("acme", { name: "Acme" }, null, undefined, catalogue.plans);
  expect(core.ledger.gauge().monthly?.allowanceMicros).toBe(2_000);
});

it("uses what was read last while the catalog cannot be reached", async () => {
  const { core, platform, catalogue, endsAtMs } = openCore();
  catalogue.fails = true;
  platform.nowMs = endsAtMs;
  await core.alarm();
  expect(core.ledger.books.cycle).toMatchObject({ startsAtMs: endsAtMs, allowanceMicros: 1_000 });
  expect(platform.logged).toContainEqual(expect.objectContaining({ event: "plans_not_read" }));
});
