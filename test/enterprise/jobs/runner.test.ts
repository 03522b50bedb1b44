// The jobs of the core, and the alarm that runs them: what fails is retried, what is cut off is started again.
import { expect, it } from "vitest";
import type { Caller } from "../../../src/access/callers.ts";
import { putWebhook } from "../../../src/enterprise/books/webhook-queue.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { refuse } from "../../../src/ledger/refusals.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { MINUTE_MS, NOON, report, settings } from "../../support/books.ts";
import { type StubPlatform, stubPlatform } from "../stub-platform.ts";

const OPERATOR: Caller = { kind: "operator" };
const CLOCK_OF_TESTS = NOON;
const TEST_EVENT = { type: "test", timestamp: "2026-03-10T12:00:00.000Z", data: {} } as const;

/** A core whose enterprise goes by the real clock, and has just been asked for its gauge. */
function openCore(platform: StubPlatform): EnterpriseCore {
  const core = new EnterpriseCore(platform);
  if (!core.ledger.provisioned) core.management.provision("acme", settings(), settings(), null);
  core.gauge(OPERATOR);
  return core;
}

it("writes the copy on time when the object was evicted while a batch was on its way, and then called", async () => {
  const platform = stubPlatform();
  const core = openCore(platform);
  await core.debit(OPERATOR, [report(10)]);
  const [dueAtMs] = platform.alarms as [number];
  expect(dueAtMs - NOON).toBeLessThanOrEqual(5_000);
  // The alarm rings, the batch leaves, and the object is evicted. The platform would run the alarm again in two seconds,
  // but a call comes first, and sets another alarm.
  platform.nowMs = dueAtMs + 1_500;
  await openCore(platform).debit(OPERATOR, [report(20)]);
  expect(platform.alarms.at(-1)).toBe(platform.nowMs);
});

it("sets an alarm again that the platform has dropped, at the next call", () => {
  const platform = stubPlatform();
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", settings(), settings(), CLOCK_OF_TESTS);
  expect(platform.alarms).toHaveLength(1);
  platform.nowMs += MINUTE_MS;
  core.gauge(OPERATOR);
  expect(platform.alarms).toHaveLength(1);
  platform.nowMs += 10 * MINUTE_MS;
  core.gauge(OPERATOR);
  expect(platform.alarms).toEqual([platform.alarms[0], platform.nowMs]);
});

it("retries a job that failed by its alarm, also when nobody calls", async () => {
  const platform = stubPlatform();
  const core = openCore(platform);
  expect(await core.management.acceptReferral("friend", 1)).toEqual({ referrer: "friend" });
  expect(platform.alarms.at(-1)).toBe(NOON + 1_000);
  expect(platform.logged).toMatchObject([{ event: "job_failed", job: "settle_referral", failures: 1 }]);
});

it("adds the grant of a referrer that has too many grants once it has room, and asks once an hour", async () => {
  let full = true;
  const asked: number[] = [];
  const addGrant = async () => {
    asked.push(platform.nowMs);
    return full ? refuse({ code: "too_many_grants" }) : { created: true };
  };
  const platform: StubPlatform = stubPlatform({ peers: { exists: async () => true, addGrant }, copy: emptyCopy() });
  const core = openCore(platform);
  expect(await core.management.acceptReferral("friend", 1)).toEqual({ referrer: "friend" });
  for (let minute = 0; minute < 60; minute += 10) {
    await core.alarm();
    platform.nowMs += 10 * MINUTE_MS;
  }
  expect(asked).toEqual([NOON]);
  full = false;
  await openCore(platform).alarm();
  await core.alarm();
  expect(asked).toEqual([NOON, NOON + 60 * MINUTE_MS]);
});

it("retries a job that failed after a longer pause each time, and starts with a second again once it worked", async () => {
  let works = false;
  const peers = {
    exists: async () => true,
    addGrant: async () => (works ? { created: true } : Promise.reject(new Error("lost"))),
  };
  const platform = stubPlatform({ peers, copy: emptyCopy() });
  const core = openCore(platform);
  await core.management.acceptReferral("friend", 1);
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    await core.alarm();
    pauses.push((platform.alarms.at(-1) as number) - platform.nowMs);
  }
  expect(pauses).toEqual([2_000, 4_000, 8_000]);
  works = true;
  await core.alarm();
  expect(platform.sql.all("SELECT settled FROM referral")).toEqual([{ settled: 1 }]);
});

it("delivers a webhook in the background, and checks later whether the delivery was cut off", async () => {
  const webhooks = { secretOf: async () => "whsec_c2VjcmV0", fetch: () => new Promise<Response>(() => {}) };
  const platform = stubPlatform({ webhooks, copy: emptyCopy() });
  const core = openCore(platform);
  core.management.provision("acme", { webhookUrl: "https://hooks.example.com/fuel" }, null, undefined);
  expect(core.notifications.testWebhook()).toEqual({ queued: true });
  expect(platform.alarms.at(-1)).toBe(NOON);
  await core.alarm();
  expect(platform.alarms.at(-1)).toBe(NOON + 30_000);
});

it("sets the alarm of a new instance for what an evicted one has left in storage", () => {
  const platform = stubPlatform();
  openCore(platform);
  putWebhook(platform.sql, TEST_EVENT, NOON + 500);
  platform.alarms.length = 0;
  openCore(platform);
  expect(platform.alarms).toEqual([NOON + 500]);
});

it("sets the alarm also when a job breaks in a way that storage cannot even be asked about", async () => {
  const platform = stubPlatform({ copy: emptyCopy() });
  const { sql } = platform;
  let broken = false;
  const core = openCore({
    ...platform,
    sql: {
      ...sql,
      transaction: (body) => {
        if (broken) throw new Error("storage is full");
        return sql.transaction(body);
      },
    },
  });
  platform.nowMs = core.ledger.books.cycle.endsAtMs;
  broken = true;
  await core.jobs.runAll().catch(() => {});
  broken = false;
  expect(platform.logged.map(({ event }) => event)).toContain("job_failed");
  platform.alarms.length = 0;
  await core.alarm();
  expect(core.ledger.books.cycle.startsAtMs).toBe(platform.nowMs);
});

/** A copy that takes every batch. */
const emptyCopy = () => new CopyDb(async (apply) => apply());
