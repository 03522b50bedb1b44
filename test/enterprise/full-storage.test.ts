// Nothing can be stored: the disk or the object is full. Reads go on, and writes fail without a trace.
import { beforeEach, expect, it } from "vitest";
import type { Caller } from "../../src/access/callers.ts";
import type { Sql } from "../../src/enterprise/books/sql.ts";
import { EnterpriseCore } from "../../src/enterprise/core.ts";
import { MAX_MICROS } from "../../src/ledger/micros.ts";
import { isRefusal } from "../../src/ledger/refusals.ts";
import { APRIL, grantRequest, report, settings, start } from "../support/books.ts";
import { openSql } from "../support/node-sql.ts";
import { type StubPlatform, stubPlatform } from "./stub-platform.ts";

const OPERATOR: Caller = { kind: "operator" };
const KEY: Caller = { kind: "key", id: "k1", hash: "hash", scopes: ["read"] };
const PERSON: Caller = { kind: "user", user: "u1", role: "admin" };

let full = false;
let platform: StubPlatform;
let core: EnterpriseCore;

function fail(): never {
  throw new Error("database or disk is full: SQLITE_FULL");
}

beforeEach(() => {
  full = false;
  const sql = openSql();
  const filled: Sql = { ...sql, run: (statement, ...params) => (full ? fail() : sql.run(statement, ...params)) };
  platform = stubPlatform({ sql: filled });
  const { set } = platform.alarm;
  platform.alarm.set = (atMs) => (full ? fail() : set(atMs));
  core = new EnterpriseCore(platform);
  core.management.provision("acme", {}, settings(), null);
  core.access.addKey(OPERATOR, { id: "k1", name: "reader", scopes: ["read"], hash: "hash", expiresAtMs: null });
  core.ledger.addGrant(grantRequest("g1", 500, { expiresAtMs: APRIL }), "operator");
  core.ledger.start(start({ run: "held", holdMicros: 100 }));
  // More debtors than one change attributes a payment to, so that payments wait.
  for (let n = 0; n < 3; n++) {
    core.ledger.debit(Array.from({ length: 500 }, (_, i) => report(10, { run: `r${n}-${i}` })));
  }
  core.ledger.addGrant(grantRequest("g2", 20_000), "operator");
});

const READS: Record<string, (caller: Caller) => object> = {
  gauge: (caller) => core.gauge(caller),
  "the page's view": (caller) => core.copyView(caller, { grants: 10, endedCycles: 10 }),
  cycles: (caller) => core.cycles(caller, MAX_MICROS, 10),
  receipt: (caller) => core.receipt(caller, "r2-499"),
  entries: (caller) => core.entries(caller, MAX_MICROS, 10),
  grants: (caller) => core.grants(caller, MAX_MICROS, 10),
  "one grant": (caller) => core.grant(caller, "g1"),
  "the state": (caller) => core.management.state(caller),
};

it.each(Object.keys(READS))(
  "reads %s in an object that has just woken, although what is due cannot be stored",
  (name) => {
    const read = READS[name] as (caller: Caller) => object;
    for (const caller of [OPERATOR, KEY, PERSON]) {
      core = new EnterpriseCore(platform);
      full = true;
      platform.nowMs = APRIL + 1;
      const answer = read(caller);
      expect(isRefusal(answer)).toBe(false);
      full = false;
      platform.nowMs = APRIL - 1;
    }
  },
);

it("sets the alarm with the first call after there is room again", () => {
  core = new EnterpriseCore(platform);
  full = true;
  core.gauge(KEY);
  const before = platform.alarms.length;
  full = false;
  core.gauge(KEY);
  expect(platform.alarms.length).toBe(before + 1);
  expect(platform.logged).toMatchObject([{ event: "alarm_not_set", job: "set_alarm" }]);
});
