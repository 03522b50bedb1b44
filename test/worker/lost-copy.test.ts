// A copy that lacks what the ledger wrote is never shown as complete, and is rebuilt without being asked (rule R17).
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { isComplete } from "../../src/copy/checked-copy.ts";
import { type Enterprise, expectProblem, newEnterprise, objectOf, operator, projectNow, senderWith } from "./api.ts";
import { alarmOf, copyOf, laterReport, loseCopy, newBusyEnterprise, saveCopy } from "./copy-fixture.ts";
import { sessionCookie } from "./sessions.ts";

const READS = [
  "runs",
  "usage/timeseries",
  "usage/timeseries?range=24h",
  "usage/top/workspaces",
  "usage/top/groups",
  "usage/top/users",
  "runs.csv",
];

async function statusesOf(e: Enterprise): Promise<(number | string)[]> {
  const answers = await Promise.all(READS.map((route) => e.agent("GET", `${e.path}/${route}`).catch(() => null)));
  return answers.map((answer) => answer?.status ?? "aborted");
}

/** Expects a good audit. An audit waits for the end of a rebuild, which deletes old rows when readers have all new ones. */
async function expectAuditOk(e: Enterprise): Promise<void> {
  await expect.poll(async () => (await e.audit()).ok).toBe(true);
}

/** Runs alarms until every read of the copy is answered. */
async function untilReadable(e: Enterprise): Promise<void> {
  await expect
    .poll(async () => {
      await projectNow(e.id);
      return statusesOf(e);
    })
    .toEqual(READS.map(() => 200));
}

it("is readable while the first batch arrives, before the ledger knows of it", () => {
  const mark = { revision: 0, sinceRevision: 0 };
  expect(isComplete(null, mark)).toBe(true);
  expect(isComplete({ generation: 1, revision: 2, sinceRevision: 2 }, mark)).toBe(true);
  expect(isComplete({ generation: 1, revision: 2, sinceRevision: 2 }, { revision: 1, sinceRevision: 0 })).toBe(false);
});

describe("a copy that D1 has lost", () => {
  it("is answered 503 with Retry-After, and rebuilt although nothing changes", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    await loseCopy(e);
    for (const route of READS) {
      const answer = await e.agent("GET", `${e.path}/${route}`);
      expectProblem(answer, 503, "copy_unavailable");
      expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    }
    expect((await e.gauge()).used_micros).toBeGreaterThan(0);
    await expect.poll(() => alarmOf(e)).toBeLessThanOrEqual(Date.now() + 60_000);
    await untilReadable(e);
    expect(await copyOf(e)).toEqual(before);
    await expectAuditOk(e);
  });

  it("is not shown while only a later change is in it", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    await loseCopy(e);
    // Nobody reads: the projection notices.
    await e.debit(laterReport("r1", 9));
    await projectNow(e.id);
    const seen = await e.agent("GET", `${e.path}/runs?limit=100`);
    if (seen.status === 200) expect(seen.body.rows.length).toBe(31);
    else expectProblem(seen, 503, "copy_unavailable");
    await untilReadable(e);
    expect((await e.get("runs?limit=100")).rows.length).toBe(31);
    await expectAuditOk(e);
  });

  it("is noticed by an object that has just started", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    await loseCopy(e);
    await evictDurableObject(objectOf(e.id));
    expectProblem(await e.agent("GET", `${e.path}/runs`), 503, "copy_unavailable");
    await untilReadable(e);
    await expectAuditOk(e);
  });

  it("leaves the page's own numbers, and each block that needs the copy says that it cannot be read", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    await loseCopy(e);
    const headers = { ...(await sessionCookie(e.id)), Accept: "text/html" };
    const page = (await senderWith(null)("GET", "/settings/usage", undefined, { headers })).text;
    // The chart, four tables and the list of runs.
    expect(page.match(/cannot be read right now/g)?.length).toBe(6);
    expect(page).toContain("credits used");
    await untilReadable(e);
  });
});

describe("a copy that was replaced by an older one", () => {
  it("is answered 503 until it is rebuilt, also when a change was written to it", async () => {
    for (const changed of [false, true]) {
      const e = await newBusyEnterprise();
      await projectNow(e.id);
      const restore = await saveCopy(e);
      await e.debit(laterReport("r1", 9));
      await projectNow(e.id);
      const before = await copyOf(e);
      await restore();
      if (changed) {
        await e.debit(laterReport("r2", 10));
        await projectNow(e.id);
      } else expectProblem(await e.agent("GET", `${e.path}/runs`), 503, "copy_unavailable");
      await untilReadable(e);
      if (!changed) expect(await copyOf(e)).toEqual(before);
      await expectAuditOk(e);
    }
  });
});

describe("a copy that was never written", () => {
  it("is answered as empty", async () => {
    const e = await newEnterprise({ test_clock: "2026-03-10T12:00:00Z" });
    expect((await e.get("runs")).rows).toEqual([]);
    expect(await statusesOf(e)).toEqual(READS.map(() => 200));
    await projectNow(e.id);
    expect(await statusesOf(e)).toEqual(READS.map(() => 200));
  });

  it("in the last release's state of an object is answered 503, not as empty", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    await runInDurableObject(objectOf(e.id), (_, { storage }) => {
      storage.sql.exec("DELETE FROM progress WHERE name IN ('confirmed', 'complete_since', 'generation')");
    });
    await env.DB.prepare("UPDATE enterprises SET since_revision = 0 WHERE id = ?").bind(e.id).run();
    expect(await statusesOf(e)).toEqual(READS.map(() => 200));
    await loseCopy(e);
    expectProblem(await e.agent("GET", `${e.path}/runs`), 503, "copy_unavailable");
    await operator("POST", `${e.path}/rebuild`);
    expect(await statusesOf(e)).toEqual(READS.map(() => 200));
  });
});
