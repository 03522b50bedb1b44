// Entries of closed runs are most of the journal, and nobody reads them in the copy. So they are not copied, but the rows
// that an earlier release copied are no fault.
import { expect, it } from "vitest";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { AUDIT_CURSOR, type AuditResult } from "../../../src/enterprise/jobs/audit.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { grantRequest, report, settings } from "../../support/books.ts";
import { stubPlatform } from "../stub-platform.ts";

/** More than the audit compares at once. */
const RUNS = 700;

async function openWorld() {
  const copy = new CopyDb(async (apply) => apply());
  const core = new EnterpriseCore(stubPlatform({ copy }));
  core.management.provision("acme", {}, settings({ allowanceOverrideMicros: 1_000_000 }), null);
  const reports = Array.from({ length: RUNS }, (_, i) => report(1, { run: `r${i}`, final: true }));
  core.ledger.debit(reports);
  core.ledger.addGrant(grantRequest("g1", 5), "operator");
  await core.jobs.runNow("project");
  return { core, copy };
}

async function faults(core: EnterpriseCore): Promise<string[]> {
  await core.jobs.runInCall("audit", AUDIT_CURSOR, 0);
  const job = await core.jobs.runSlices("audit", 5_000);
  const { checks } = (job as NonNullable<typeof job>).result as unknown as AuditResult;
  return checks.filter(({ ok }) => !ok).map(({ detail }) => detail);
}

/** Copies the entries of closed runs, as the last release did. */
function copyClosedRuns({ core, copy }: Awaited<ReturnType<typeof openWorld>>): void {
  for (const { seq, at_ms, caused_by, facts } of core.ledger.sql.all(
    `SELECT * FROM entries WHERE facts LIKE '{"type":"run_closed"%'`,
  )) {
    copy.rows(
      "INSERT INTO entries (enterprise, seq, at_ms, type, caused_by, facts) VALUES ('acme', ?, ?, 'run_closed', ?, ?)",
      ...([seq, at_ms, caused_by, facts] as string[]),
    );
  }
}

const COPIED = "SELECT type FROM entries WHERE enterprise = 'acme' ORDER BY seq";

it("copies all entries but those of closed runs", async () => {
  const { core, copy } = await openWorld();
  expect(copy.rows(COPIED).map(({ type }) => type)).toEqual(["cycle_started", "grant_added"]);
  expect(await faults(core)).toEqual([]);
});

it("finds no fault in the closed runs that an earlier release copied, and a rebuild removes them", async () => {
  const world = await openWorld();
  copyClosedRuns(world);
  expect(world.copy.rows(COPIED)).toHaveLength(RUNS + 2);
  expect(await faults(world.core)).toEqual([]);
  await world.core.jobs.start("rebuild", null);
  await world.core.jobs.runSlices("rebuild", 100);
  expect(world.copy.rows(COPIED)).toHaveLength(2);
});

it.each([false, true])(
  "finds a lost entry behind many closed runs (copied by an earlier release: %s)",
  async (copied) => {
    const world = await openWorld();
    if (copied) copyClosedRuns(world);
    world.copy.rows("DELETE FROM entries WHERE type = 'grant_added'");
    expect(await faults(world.core)).toEqual([expect.stringMatching(/entries .*missing/)]);
  },
);
