// W1: what is due, and every list of the object, is worked off in portions, and stays short.
import { expect, it } from "vitest";
import { loadPendingWebhooks, putWebhook } from "../../../src/enterprise/books/webhook-queue.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import { prune } from "../../../src/enterprise/jobs/pruning.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import {
  at,
  DAY_MS,
  debit,
  NOON,
  openBooks,
  openByClock,
  price,
  rates,
  report,
  settings,
  tokens,
} from "../../support/books.ts";
import { stubPlatform } from "../stub-platform.ts";

const EVENT = { type: "test", timestamp: "2026-03-10T12:00:00.000Z", data: {} } as const;

it("keeps at most 200 events for a receiver that does not respond, the newest, and a log of 1,000", () => {
  const { sql } = openBooks();
  putWebhook(sql, EVENT, NOON, "other");
  for (let n = 0; n < 1_300; n++) putWebhook(sql, EVENT, NOON);
  const count = (condition: string) => sql.all(`SELECT count(*) AS n FROM webhooks WHERE ${condition}`)[0]?.n;
  expect(count("channel = '' AND next_at_ms IS NOT NULL")).toBe(200);
  expect(count("true")).toBeLessThanOrEqual(1_001);
  expect(loadPendingWebhooks(sql).map(({ number, channel }) => [channel, number])).toEqual([
    ["other", 1],
    ["", 1_102],
  ]);
  expect(sql.all("SELECT value FROM progress WHERE name = 'deliveries_failed'")).toEqual([{ value: 1_100 }]);
});

it("prunes runs with many meters in portions of at most a thousand meters", () => {
  const ledger = openBooks();
  for (let n = 0; n < 6; n++) debit(ledger, report(1, { run: `r${n}` }));
  const [meter] = ledger.sql.all("SELECT * FROM meters WHERE run = 'r0'");
  const rest = Object.keys(meter ?? {}).filter((column) => column !== "model");
  const models = JSON.stringify(Array.from({ length: 399 }, (_, i) => `model-${i}`));
  ledger.sql.run(
    `INSERT INTO meters (model, ${rest}) SELECT value, ${rest} FROM (SELECT * FROM meters LIMIT 6), json_each(?)`,
    models,
  );
  ledger.moveClock(NOON + 36 * DAY_MS);
  const left = () => Number(ledger.sql.all("SELECT count(*) AS n FROM meters")[0]?.n);
  const sizes: number[] = [];
  for (let more = true; more; ) {
    const before = left();
    more = prune(ledger);
    sizes.push(before - left());
  }
  expect(sizes).toEqual([800, 800, 800]);
});

it("debits a batch in portions if its runs have thousands of meters, and answers all of it", async () => {
  const platform = stubPlatform();
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", {}, settings(), null);
  const { ledger } = core;
  const batch = Array.from({ length: 6 }, (_, n) => report(2, { run: `r${n}` }));
  for (const { run } of batch) debit(ledger, report(1, { run }));
  const columns = Object.keys(ledger.sql.all("SELECT * FROM meters LIMIT 1")[0] ?? {}).filter(
    (name) => name !== "model",
  );
  ledger.sql.run(
    `INSERT INTO meters (model, ${columns}) SELECT value, ${columns} FROM (SELECT * FROM meters LIMIT 6), json_each(?)`,
    JSON.stringify(Array.from({ length: 799 }, (_, i) => `model-${i}`)),
  );
  ledger.recent.clear();
  expect(ledger.debit(batch)).toHaveLength(2);
  ledger.recent.clear();
  const answers = await core.debit({ kind: "operator" }, batch);
  expect(answers).toHaveLength(6);
  expect(answers).toMatchObject(batch.map(({ run }) => ({ run })));
});

it("goes on with the copy if refunds of several cycles arrive in one hour", async () => {
  const copy = new CopyDb(async (apply) => apply());
  const platform = stubPlatform({ copy: copy as never });
  const core = new EnterpriseCore(platform);
  const byom = settings({ billingModel: "byom" });
  core.management.provision("acme", byom, byom, at("2026-01-31T12:00:00Z"));
  const { ledger } = core;
  const most = 999_999_999_999;
  const months = ["2026-01-31T12:00:00Z", "2026-02-28T12:00:00Z", "2026-03-01T12:00:00Z"].map(at);
  const huge = price({ rates: rates({ input: 9_000 * 1_000_000 }) });
  for (const [i, nowMs] of months.entries()) {
    ledger.moveClock(nowMs);
    const run = { run: `r${i}`, startedAtMs: nowMs, price: huge, usage: tokens({ input: most }) };
    const [charged] = ledger.debit([{ ...report(0), ...run }]);
    expect(charged).toMatchObject({ chargedMicros: most * 9_000 });
  }
  for (const i of months.keys()) {
    ledger.debit([{ ...report(0, { run: `r${i}`, final: true }), price: huge, usage: tokens() }]);
  }
  await core.jobs.runNow("project");
  expect(platform.logged).toEqual([]);
  expect(copy.rows("SELECT amount_micros FROM usage_hourly ORDER BY starts_at_ms DESC LIMIT 1")).toEqual([
    { amount_micros: -Number.MAX_SAFE_INTEGER },
  ]);
});

it("prunes behind thousands of old meters whose runs go on, and looks at them a page at a time", () => {
  const clock = { nowMs: NOON };
  const ledger = openByClock(clock, { allowanceOverrideMicros: 1_000_000 });
  const RUNS = 4_500;
  const reportAll = (input: number) => {
    for (let from = 0; from < RUNS; from += 500) {
      ledger.debit(
        Array.from({ length: 500 }, (_, i) => report(input, { run: `long-${from + i}`, startedAtMs: NOON })),
      );
    }
  };
  reportAll(1);
  clock.nowMs += 1_000;
  ledger.debit([report(1, { run: "old", startedAtMs: NOON })]);
  clock.nowMs += 30 * DAY_MS;
  reportAll(2);
  clock.nowMs += 30 * DAY_MS;
  const kept = () => ledger.sql.all("SELECT count(*) AS meters FROM meters")[0]?.meters;
  for (const meters of [RUNS + 1, RUNS + 1, RUNS]) {
    expect(kept()).toBe(RUNS + 1);
    const more = prune(ledger);
    expect([more, kept()]).toEqual([meters > RUNS, meters]);
  }
  expect(auditBooks(ledger).filter(({ ok }) => !ok)).toEqual([]);
});
