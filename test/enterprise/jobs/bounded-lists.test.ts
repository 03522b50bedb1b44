// W1: what is due, and every list of the object, is worked off in portions, and stays short.
import { expect, it } from "vitest";
import { loadPendingWebhooks, putWebhook } from "../../../src/enterprise/books/webhook-queue.ts";
import { prune } from "../../../src/enterprise/jobs/pruning.ts";
import { DAY_MS, debit, NOON, openBooks, report } from "../../support/books.ts";

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
