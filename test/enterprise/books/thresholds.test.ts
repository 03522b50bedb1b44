import { beforeEach, expect, it } from "vitest";
import { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { listWebhooks } from "../../../src/enterprise/books/webhook-queue.ts";
import type { Settings } from "../../../src/ledger/books.ts";
import type { Report } from "../../../src/ledger/debit.ts";
import { resolveRates } from "../../../src/ledger/prices.ts";
import { isRefusal } from "../../../src/ledger/refusals.ts";
import { openSql } from "../../support/node-sql.ts";

const NOON_MS = Date.parse("2026-03-10T12:00:00Z");
const CREDIT = 1_000_000;

const SETTINGS: Settings = {
  name: "Acme",
  billingModel: "credits",
  plan: "free",
  allowanceOverrideMicros: 100 * CREDIT,
  timeZone: "UTC",
  anchorDay: 1,
  suspended: false,
  upgradeUrl: null,
  referralUrl: null,
  webhookUrl: "https://hooks.example.com/fuel",
};

let ledger: Ledger;
let runs = 0;

beforeEach(() => {
  ledger = new Ledger(openSql(), () => NOON_MS);
  ledger.create("acme", SETTINGS, NOON_MS);
});

/** Charges whole credits: a million tokens of a price of one cent each. */
function use(credits: number, fields: Partial<Report> = {}): void {
  const rates = resolveRates({ input: 10_000 });
  const [answer] = ledger.debit([
    {
      run: `run-${++runs}`,
      model: "m",
      reportedAs: "m",
      price: { bookVersion: 1, creditsPerUsd: 100, multiplierMillionths: 1_000_000, rates },
      usage: { input: credits * 1_000_000, output: 0, cache_read: 0, cache_write: 0 },
      final: false,
      tier: "standard",
      estimated: false,
      surface: "web",
      workspace: "w",
      user: "u",
      startedAtMs: ledger.nowMs(),
      ...fields,
    },
  ]);
  if (answer === undefined || isRefusal(answer)) throw new Error(JSON.stringify(answer));
}

const notified = () =>
  ledger.sql
    .all("SELECT body FROM webhooks ORDER BY number")
    .map((row) => JSON.parse(row.body as string).data.code as string);

it("notifies of each threshold once as usage rises", () => {
  for (const credits of [49, 1, 1, 24, 1, 14, 1, 9, 1]) use(credits);
  expect(notified()).toEqual(["usage_50", "usage_75", "usage_90", "exhausted"]);
});

it("notifies only of the highest threshold that one debit crosses", () => {
  use(93);
  expect(notified()).toEqual(["usage_90"]);
});

it("notifies again after new credit has raised the enterprise above the threshold", () => {
  use(80);
  ledger.addGrant(
    { id: "g", amountMicros: 100 * CREDIT, source: "goodwill", note: null, expiresAtMs: null },
    "operator",
  );
  use(80);
  expect(notified()).toEqual(["usage_75", "usage_75"]);
});

it("does not notify again of a threshold that new credit has not raised the enterprise above", () => {
  use(95);
  ledger.addGrant({ id: "g", amountMicros: 4 * CREDIT, source: "goodwill", note: null, expiresAtMs: null }, "operator");
  use(2);
  expect(notified()).toEqual(["usage_90"]);
});

it("notifies again after a larger allowance, and after a grant was voided", () => {
  use(80);
  ledger.changeSettings({ allowanceOverrideMicros: 200 * CREDIT }, "operator");
  use(30);
  expect(notified()).toEqual(["usage_75", "usage_50"]);
  ledger.addGrant(
    { id: "g", amountMicros: 99 * CREDIT, source: "goodwill", note: null, expiresAtMs: null },
    "operator",
  );
  ledger.voidGrant("g", "operator");
  expect(notified()).toEqual(["usage_75", "usage_50", "usage_50"]);
});

it("notifies when a grant expires and a threshold is crossed by that", () => {
  const expiresAtMs = NOON_MS + 86_400_000;
  ledger.addGrant({ id: "g", amountMicros: 100 * CREDIT, source: "goodwill", note: null, expiresAtMs }, "operator");
  use(80);
  expect(notified()).toEqual([]);
  ledger.moveClock(expiresAtMs);
  expect(notified()).toEqual(["usage_75"]);
});

it("does not notify again after a refund fell below the threshold", () => {
  use(70);
  use(10, { run: "back" });
  use(4, { run: "back", final: true });
  use(10);
  expect(notified()).toEqual(["usage_50", "usage_75"]);
});

it("starts over with each cycle", () => {
  use(60);
  ledger.moveClock(Date.parse("2026-04-02T00:00:00Z"));
  use(60);
  expect(notified()).toEqual(["usage_50", "usage_50"]);
});

it("notifies of the spend cap, and again after the cap was raised", () => {
  ledger.changeSettings({ billingModel: "byom" }, "operator");
  ledger.setCap(CREDIT, "operator");
  use(100);
  ledger.setCap(2 * CREDIT, "operator");
  use(60);
  expect(notified()).toEqual(["cap_reached", "cap_75"]);
});

it("notifies at once of what a lower cap crosses, and again under a cap that was removed and set again", () => {
  ledger.changeSettings({ billingModel: "byom" }, "operator");
  ledger.setCap(10 * CREDIT, "operator");
  use(95);
  ledger.setCap(CREDIT, "operator");
  ledger.setCap(null, "operator");
  use(1);
  ledger.setCap(CREDIT, "operator");
  use(10);
  expect(notified()).toEqual(["cap_90", "cap_90", "cap_reached"]);
});

it("queues no webhook without a URL, and none late once there is one", () => {
  ledger.changeSettings({ webhookUrl: null }, "operator");
  use(80);
  ledger.changeSettings({ webhookUrl: "https://hooks.example.com/fuel" }, "operator");
  use(1);
  expect(listWebhooks(ledger.sql, Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
});

it("says that a webhook is queued at the commit that queued it, also when nothing else was due", () => {
  ledger = new Ledger(ledger.sql, () => NOON_MS);
  use(49);
  expect(ledger.webhookQueued).toBe(false);
  use(1);
  expect(ledger.webhookQueued).toBe(true);
});
