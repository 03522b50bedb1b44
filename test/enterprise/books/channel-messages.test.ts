// Messages are queued in the commit that causes them: exactly once, across failed commits and new instances.
import { expect, it } from "vitest";
import type { StoredChannel } from "../../../src/enterprise/books/channels.ts";
import { Ledger } from "../../../src/enterprise/books/ledger.ts";
import type { Sql } from "../../../src/enterprise/books/sql.ts";
import { reportCycle } from "../../../src/enterprise/jobs/report-cycle.ts";
import { APRIL, debit, NOON, openBooks, report } from "../../support/books.ts";

const channel = (id: string, over: Partial<StoredChannel> = {}): StoredChannel => ({
  id,
  kind: "webhook",
  target: "https://hooks.example.com/",
  events: null,
  thresholds: [50, 100],
  active: true,
  confirmedAtMs: null,
  secret: "whsec_c2VjcmV0",
  site: "https://usage.example.com",
  confirmId: null,
  confirmSentAtMs: null,
  createdBy: "operator",
  createdAtMs: NOON,
  ...over,
});

const codes = (sql: Sql) =>
  sql
    .all("SELECT channel, body FROM webhooks ORDER BY number")
    .map(({ channel, body }) => `${channel}: ${JSON.parse(body as string).data.code}`);

function openWith(...channels: StoredChannel[]): Ledger {
  const ledger = openBooks();
  ledger.changeChannels((stored) => {
    for (const one of channels) stored.put(one);
  });
  return ledger;
}

it("queues a message again if the commit that queued it failed, and no further one", () => {
  const ledger = openWith(channel("a"));
  const { sql } = ledger;
  const failing: Sql = {
    ...sql,
    run: (statement, ...params) => {
      if (/UPDATE enterprise/.test(statement)) throw new Error("disk failure");
      sql.run(statement, ...params);
    },
  };
  expect(() => debit(new Ledger(failing, () => NOON), report(600))).toThrow("disk failure");
  expect(codes(sql)).toEqual([]);
  for (let instance = 0; instance < 3; instance++) debit(new Ledger(sql, () => NOON), report(600));
  expect(codes(sql)).toEqual(["a: usage_50"]);
  debit(new Ledger(sql, () => NOON), report(1_000));
  debit(new Ledger(sql, () => NOON), report(1_200));
  expect(codes(sql)).toEqual(["a: usage_50", "a: usage_100", "a: exhausted"]);
});

it("keeps the channels of a failed change out of memory", () => {
  const ledger = openWith();
  expect(() =>
    ledger.changeChannels((stored) => {
      stored.put(channel("a"));
      throw new Error("refused late");
    }),
  ).toThrow("refused late");
  debit(ledger, report(600));
  expect(codes(ledger.sql)).toEqual([]);
});

it("queues nothing for a channel that is paused, not confirmed, or does not want it", () => {
  const ledger = openWith(
    channel("paused", { active: false }),
    channel("unconfirmed", { kind: "email", target: "a@b.example", secret: null }),
    channel("other", { events: ["recovered"] }),
    channel("wanted", { events: ["usage_50"] }),
  );
  debit(ledger, report(600));
  debit(ledger, report(1_000));
  expect(codes(ledger.sql)).toEqual(["wanted: usage_50"]);
});

it("reports a cycle with thousands of users in slices, once, also if the object stops in between", () => {
  const ledger = openWith(channel("a", { events: ["cycle_report"] }));
  for (let n = 0; n < 2_500; n++) {
    debit(ledger, report(n === 1_234 ? 7 : n === 77 ? 5 : 1, { run: `r${n}`, user: `u${n}`, workspace: `w${n % 3}` }));
  }
  ledger.moveClock(APRIL);
  let slices = 0;
  for (let more = true; more; slices++) more = reportCycle({ ledger: new Ledger(ledger.sql, () => NOON) });
  expect(slices).toBeGreaterThan(3);
  expect(codes(ledger.sql)).toEqual(["a: cycle_report"]);
  const [row] = ledger.sql.all("SELECT body FROM webhooks");
  const { data } = JSON.parse(row?.body as string);
  expect(data).toMatchObject({ requests: 2_500, used_micros: 2_510 });
  expect(data.top.users.slice(0, 2).map(({ id }: { id: string }) => id)).toEqual(["u1234", "u77"]);
  expect(data.top.workspaces).toHaveLength(3);
  expect(reportCycle({ ledger })).toBe(false);
});
