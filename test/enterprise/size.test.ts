// An object whose storage is nearly full warns, refuses new runs, and still takes what ends and pays for the others.
import { expect, it } from "vitest";
import type { Caller } from "../../src/access/callers.ts";
import { EnterpriseCore } from "../../src/enterprise/core.ts";
import { checkSize } from "../../src/enterprise/jobs/check-size.ts";
import { NOON, report, settings } from "../support/books.ts";
import { openSql } from "../support/node-sql.ts";
import { stubPlatform } from "./stub-platform.ts";

const OPERATOR: Caller = { kind: "operator" };
const HOUR_MS = 3_600_000;
const start = (run: string) => ({
  run,
  surface: "web" as const,
  workspace: "w1",
  user: "u1",
  group: undefined,
  startedAtMs: undefined,
  holdMicros: 100,
  holdTtlMs: null,
});

function openFilled() {
  const size = { bytes: 1_000_000 };
  const noted: number[] = [];
  const platform = stubPlatform({
    sql: { ...openSql(), sizeBytes: () => size.bytes },
    objectSizes: { note: async (_, bytes) => noted.push(bytes) },
  });
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", {}, settings(), null);
  return { core, platform, size, noted };
}

it("refuses new runs from 9.5 GB on, and still takes reports, holds of known runs, grants and releases", async () => {
  const { core, size } = openFilled();
  expect(core.start(OPERATOR, start("known"))).toMatchObject({ created: true });
  size.bytes = 9_500_000_000;
  expect(core.start(OPERATOR, start("new"))).toMatchObject({ refusal: { code: "ledger_busy" } });
  expect(core.start(OPERATOR, start("known"))).toMatchObject({ created: false, hold: { micros: 100 } });
  expect(await core.debit(OPERATOR, [report(10, { run: "known" }), report(10, { run: "unknown" })])).toMatchObject([
    { run: "known" },
    { run: "unknown" },
  ]);
  const grant = { id: "g", amountMicros: 5, source: "goodwill" as const, note: null, expiresAtMs: null };
  expect(core.management.addGrant(grant)).toMatchObject({ created: true });
  expect(core.releaseHold(OPERATOR, "known")).toMatchObject({ held_micros: 0 });
  size.bytes = 9_400_000_000;
  expect(core.start(OPERATOR, start("new"))).toMatchObject({ created: true });
});

it("imports no history from 9.5 GB on", async () => {
  const { core, size } = openFilled();
  const row = {
    day: "2026-02-10",
    surface: "web" as const,
    workspace: "w1",
    group: "none",
    user: "u1",
    model: "gpt-5",
  };
  const rows = [{ ...row, requests: 1, amountMicros: 10, usage: {} }];
  size.bytes = 9_500_000_000;
  expect(await core.data.importHistory({ unit: "credits", rows })).toMatchObject({ refusal: { code: "ledger_busy" } });
  size.bytes = 9_400_000_000;
  expect(await core.data.importHistory({ unit: "credits", rows })).toEqual({ rows: 1 });
});

it("warns from 7 GB on, once an hour, and notes when it is small again", async () => {
  const { core, platform, size, noted } = openFilled();
  const warnings = () => platform.logged.filter(({ event }) => event === "object_nearly_full").length;
  const alarmAfter = async (ms: number, bytes: number) => {
    platform.nowMs += ms;
    size.bytes = bytes;
    await checkSize(core.ledger, platform);
  };
  await alarmAfter(0, 6_999_999_999);
  expect([noted, warnings()]).toEqual([[], 0]);
  await alarmAfter(1_000, 7_000_000_000);
  await alarmAfter(1_000, 7_100_000_000);
  expect([noted, warnings()]).toEqual([[7_000_000_000], 1]);
  await alarmAfter(HOUR_MS, 7_200_000_000);
  expect([noted, warnings()]).toEqual([[7_000_000_000, 7_200_000_000], 2]);
  await alarmAfter(1_000, 6_000_000_000);
  await alarmAfter(1_000, 6_000_000_000);
  expect([noted, warnings()]).toEqual([[7_000_000_000, 7_200_000_000, 0], 2]);
  expect(platform.nowMs).toBeGreaterThan(NOON);
});
