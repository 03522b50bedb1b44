// A run that never reported is forgotten after 35 days. Its row stays until the daily job, and must not refuse a new run.
import { expect, it, vi } from "vitest";
import { EnterpriseCore } from "../../src/enterprise/core.ts";
import { auditInCall } from "../../src/enterprise/jobs/audit-in-call.ts";
import { isRefusal } from "../../src/ledger/refusals.ts";
import { CopyDb } from "../simulation/copy-db.ts";
import { DAY_MS, HOUR_MS, NOON, report, settings, start } from "../support/books.ts";
import { stubPlatform } from "./stub-platform.ts";

const OPERATOR = { kind: "operator" } as const;

function openWorld() {
  const copy = new CopyDb(async (apply) => apply());
  const platform = stubPlatform({ copy: copy as never });
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", settings(), settings(), NOON);
  return { core, platform, copy };
}

it("does not refuse a report that begins a new run under the id of a forgotten run", async () => {
  const { core, platform, copy } = openWorld();
  core.ledger.start(start({ run: "silent", holdMicros: null, startedAtMs: NOON }));
  core.ledger.moveClock(NOON + 2 * DAY_MS);
  core.ledger.start(start({ run: "kept", holdMicros: null, startedAtMs: NOON + 2 * DAY_MS }));
  core.ledger.moveClock(NOON + 35 * DAY_MS + HOUR_MS);
  const startedAtMs = core.ledger.nowMs();
  const by = { user: "somebody else", startedAtMs };
  const reports = [
    report(5, { run: "silent", ...by }),
    report(5, { run: "kept", ...by }),
    report(9, { run: "silent", ...by }),
    report(5, { run: "other", startedAtMs }),
  ];
  const shown = (answers: Awaited<ReturnType<typeof core.debit>>) =>
    isRefusal(answers) ? answers : answers.map((one) => (isRefusal(one) ? one.refusal.code : one.charged_micros));
  expect(shown(await core.debit(OPERATOR, reports))).toEqual([5, "run_attribution_conflict", 4, 5]);
  await core.jobs.runNow("project");
  const rows = copy.rows("SELECT run, user FROM runs WHERE enterprise = 'acme' ORDER BY run");
  expect(rows).toContainEqual({ run: "silent", user: "somebody else" });
  const audit = await auditInCall(core.jobs, platform, {});
  expect("checks" in audit && audit.checks.filter(({ ok }) => !ok)).toEqual([]);
});

it("still refuses a report under such an id that says an old start, or not who it runs for", async () => {
  const { core } = openWorld();
  core.ledger.start(start({ run: "silent", holdMicros: null, startedAtMs: NOON }));
  core.ledger.moveClock(NOON + 35 * DAY_MS + HOUR_MS);
  const old = report(5, { run: "silent" });
  const unnamed = report(5, { run: "silent", user: undefined, startedAtMs: core.ledger.nowMs() });
  for (const sent of [old, unnamed]) {
    expect(await core.debit(OPERATOR, [sent])).toMatchObject([{ refusal: { code: "run_too_old" } }]);
  }
});

it("decides a short report again with the report of its batch that begins the run", async () => {
  const { core } = openWorld();
  core.ledger.start(start({ run: "silent", holdMicros: null, startedAtMs: NOON }));
  core.ledger.moveClock(NOON + 35 * DAY_MS + HOUR_MS);
  const unnamed = { surface: undefined, workspace: undefined, user: undefined, startedAtMs: undefined };
  const reports = [
    report(5, { run: "silent", startedAtMs: core.ledger.nowMs() }),
    report(9, { run: "silent", ...unnamed }),
  ];
  expect(await core.debit(OPERATOR, reports)).toMatchObject([{ charged_micros: 5 }, { charged_micros: 4 }]);
});

it("does not look through the outbox for a report that is rightly refused", async () => {
  const { core, platform } = openWorld();
  await core.debit(OPERATOR, [report(5, { run: "known" })]);
  const { sql } = platform;
  const all = vi.spyOn(sql, "all");
  const conflicting = report(9, { run: "known", user: "somebody else" });
  expect(await core.debit(OPERATOR, [conflicting])).toMatchObject([{ refusal: { code: "run_attribution_conflict" } }]);
  expect(all.mock.calls.filter(([statement]) => statement.includes("FROM outbox_items"))).toEqual([]);
});
