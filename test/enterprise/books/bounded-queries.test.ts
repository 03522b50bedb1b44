// W1: neither waking nor a call reads a whole table that grows with history.
import { expect, it } from "vitest";
import type { Sql, SqlValue } from "../../../src/enterprise/books/sql.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { MAX_MICROS } from "../../../src/ledger/micros.ts";
import { APRIL, grantRequest, NOON, report, settings, start } from "../../support/books.ts";
import { openSql } from "../../support/node-sql.ts";
import { stubPlatform } from "../stub-platform.ts";

/** Tables with a row for each run, grant, change, day or person. */
const GROWING = "runs|meters|grants|entries|cycles|totals_\\w+|cube|names|export_log|late_runs|erasures|debt_payments";

const isScan = (detail: string, statement: string) =>
  new RegExp(`^SCAN (${GROWING})$`).test(detail) && !/ LIMIT 1$/.test(statement);

/** A page whose rows must be sorted first takes as long as all rows. */
const sortsMoreThanItTakes = (detail: string, statement: string) =>
  detail.includes("TEMP B-TREE") && / LIMIT /.test(statement);

it("wakes, charges and answers without scanning or sorting a table that grows", () => {
  const sql = openSql();
  const asked = new Map<string, SqlValue[]>();
  const noting = (statement: string, params: SqlValue[]) => {
    if (!/^\s*(SAVEPOINT|RELEASE|ROLLBACK|CREATE|DROP|ALTER)/.test(statement)) asked.set(statement, params);
  };
  const noted: Sql = {
    ...sql,
    all: (statement, ...params) => {
      noting(statement, params);
      return sql.all(statement, ...params);
    },
    run: (statement, ...params) => {
      noting(statement, params);
      sql.run(statement, ...params);
    },
  };
  const platform = stubPlatform({ sql: noted });
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", {}, settings(), null);
  asked.clear();

  const woken = new EnterpriseCore(platform);
  const caller = { kind: "operator" } as const;
  woken.gauge(caller);
  woken.ledger.addGrant(grantRequest("g1", 100), "operator");
  woken.ledger.start(start({ run: "r1", holdMicros: 10 }));
  woken.ledger.debit([report(2_000, { run: "r1" }), report(5, { run: "r2" })]);
  woken.ledger.addGrant(grantRequest("g2", 500, { expiresAtMs: NOON + 1_000 }), "operator");
  woken.ledger.debit([report(100, { run: "r1", final: true })]);
  woken.receipt(caller, "r1");
  woken.entries(caller, MAX_MICROS, 10);
  woken.grants(caller, MAX_MICROS, 10);
  platform.nowMs = APRIL;
  woken.copyView(caller, { grants: 10, endedCycles: 5 });
  woken.jobs.changed(false);

  const scans = [...asked].flatMap(([statement, params]) =>
    sql
      .all(`EXPLAIN QUERY PLAN ${statement}`, ...params)
      .map(({ detail }) => detail as string)
      .filter((detail) => isScan(detail, statement) || sortsMoreThanItTakes(detail, statement))
      .map((detail) => `${detail}: ${statement.replace(/\s+/g, " ")}`),
  );
  expect(scans).toEqual([]);
  expect(asked.size).toBeGreaterThan(20);
});
