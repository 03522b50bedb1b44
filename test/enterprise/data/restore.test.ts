// Taking an object back to an earlier moment: what was revoked, signed out, used or erased since then stays so, no number is
// used twice, the copy is rebuilt, and a step that fails or whose answer is lost is repeated. This file is long because each
// table that is kept, each step that can fail and each end needs a case.
import { beforeEach, describe, expect, it } from "vitest";
import type { Caller } from "../../../src/access/callers.ts";
import type { RestoreSteps } from "../../../src/catalog/restore-steps.ts";
import { copyIsBehind } from "../../../src/enterprise/copy/projection.ts";
import { isRefusal } from "../../../src/ledger/refusals.ts";
import { isEntry } from "../../../src/wire/entry.ts";
import { DAY_MS, HOUR_MS, NOON, report, settings } from "../../support/books.ts";
import { Restorable } from "./restorable.ts";

const OPERATOR: Caller = { kind: "operator" };
const ADA = "ada@example.com";
const key = (id: string): Caller => ({ kind: "key", id, hash: id, scopes: ["read"] }) as Caller;
const session = (user: string): Caller => ({
  kind: "user",
  user,
  role: "member",
  token: { id: `session-of-${user}`, issuedAtMs: NOON, expiresAtMs: NOON + DAY_MS },
});
const link = (id: string) =>
  ({ id, expiresAtMs: NOON + DAY_MS, user: "bob", role: "member", issuedAtMs: NOON }) as const;

let d: Restorable;

beforeEach(() => {
  d = new Restorable();
  const complete = settings({ allowanceOverrideMicros: 1_000_000 });
  d.core.management.provision("acme", complete, complete, null);
});

function addKey(id: string): void {
  d.core.access.addKey(OPERATOR, { id, name: id, scopes: ["read"], hash: id, expiresAtMs: null });
}

const used = () => d.core.ledger.books.cycle.monthlyUsedMicros;
const seq = () => d.core.ledger.books.seq;

function entries() {
  const page = d.core.entries(OPERATOR, Number.MAX_SAFE_INTEGER, 100);
  if (isRefusal(page)) throw new Error(page.refusal.code);
  return page.filter(isEntry);
}

/** Work until an hour ago, a copy of the file, and more work since then. */
async function workAndSave(): Promise<number> {
  addKey("old");
  d.core.management.putDirectory({ workspaces: [], groups: [], users: [{ id: ADA, name: "Ada Lovelace" }] });
  d.core.management.addGrant({ id: "kept", amountMicros: 5, source: "goodwill", note: ADA, expiresAtMs: null });
  d.core.ledger.debit([report(10, { run: "r1", user: ADA }), report(20, { run: "r2", user: "bob" })]);
  await d.core.alarm();
  const atMs = d.save();
  d.platform.nowMs += HOUR_MS;
  d.core.management.addGrant({ id: "undone", amountMicros: 7, source: "goodwill", note: null, expiresAtMs: null });
  d.core.ledger.debit([report(100, { run: "r3", user: "bob" }), report(30, { run: "r1", user: ADA })]);
  await d.core.alarm();
  return atMs;
}

function copyTexts(): string[] {
  const tables = d.copy.rows("SELECT name FROM sqlite_master WHERE type = 'table'").map(({ name }) => name as string);
  return tables.flatMap((table) => d.copy.rows(`SELECT * FROM ${table}`).map((row) => JSON.stringify(row)));
}

function objectTexts(): string[] {
  const { sql } = d.platform;
  const tables = sql.all("SELECT name FROM sqlite_master WHERE type = 'table'").map(({ name }) => name as string);
  return tables.flatMap((table) => sql.all(`SELECT * FROM ${table}`).map((row) => JSON.stringify(row)));
}

describe("a restore", () => {
  it("undoes debits and grants since then, and rebuilds the copy", async () => {
    const atMs = await workAndSave();
    expect(used()).toBe(150);
    const job = await d.run(d.begin(atMs));
    expect(job).toMatchObject({ name: "restore", enterprise: "acme", state: "done", progress: 1 });
    expect(used()).toBe(30);
    expect(d.core.grant(OPERATOR, "undone")).toMatchObject({ refusal: { code: "not_found" } });
    expect(d.copy.rows("SELECT run FROM runs WHERE enterprise = 'acme' ORDER BY run").map(({ run }) => run)).toEqual([
      "r1",
      "r2",
    ]);
    expect(await d.faults()).toEqual([]);
  });

  it("charges the totals of a run again with its next report", async () => {
    const atMs = await workAndSave();
    await d.run(d.begin(atMs));
    d.core.ledger.debit([report(30, { run: "r1", user: ADA }), report(130, { run: "r3", user: "bob" })]);
    expect(used()).toBe(180);
    expect(await d.faults()).toEqual([]);
  });

  it("keeps keys made and revoked, sign-outs and used links since then", async () => {
    addKey("revoked before");
    d.core.access.revokeKey(OPERATOR, "revoked before");
    addKey("revoked since");
    const atMs = await workAndSave();
    addKey("made since");
    d.core.access.revokeKey(OPERATOR, "revoked since");
    d.core.access.endSession(session("eve"));
    d.core.access.signOutPerson("mallory");
    d.core.access.useLink(link("used since"));
    await d.run(d.begin(atMs));
    const codeOf = (caller: Caller) => {
      const gauge = d.core.gauge(caller);
      return isRefusal(gauge) ? gauge.refusal.code : "welcome";
    };
    expect(["old", "revoked before", "revoked since", "made since"].map((id) => codeOf(key(id)))).toEqual([
      "welcome",
      "key_revoked",
      "key_revoked",
      "welcome",
    ]);
    expect(["eve", "mallory", "bob"].map((user) => codeOf(session(user)))).toEqual([
      "key_missing",
      "key_missing",
      "welcome",
    ]);
    expect(d.core.access.useLink(link("used since"))).toMatchObject({ refusal: { code: "link_used" } });
    expect(isRefusal(d.core.access.useLink(link("unused")))).toBe(false);
  });

  it("erases again who was erased since then, of whom nothing but a hash is known", async () => {
    const atMs = await workAndSave();
    await d.core.data.eraseUser(ADA);
    await d.core.alarm();
    const [replacement] = d.platform.sql.all("SELECT replacement FROM erasures").map((row) => row.replacement);
    expect((await d.run(d.begin(atMs, "operator-key:ops"))).state).toBe("done");
    expect([...objectTexts(), ...copyTexts()].filter((text) => /ada@|Lovelace/.test(text))).toEqual([]);
    expect(d.platform.sql.all("SELECT user FROM runs WHERE run = 'r1'")).toEqual([{ user: replacement }]);
    expect(entries()[0]).toMatchObject({ by: "operator-key:ops", facts: { type: "user_erased", replacement } });
    expect(entries()[1]).toMatchObject({ by: "operator-key:ops", facts: { type: "checkpoint" } });
    expect(await d.faults()).toEqual([]);
    // A late report of the person's run belongs to the replacement.
    d.core.ledger.debit([report(40, { run: "r1", user: ADA })]);
    expect(d.platform.sql.all("SELECT DISTINCT user FROM runs ORDER BY user")).toEqual([
      { user: "bob" },
      { user: replacement },
    ]);
  });

  it("keeps a person who came back after an erasure that the earlier moment knows", async () => {
    await d.core.data.eraseUser(ADA);
    d.platform.nowMs += 1_000;
    d.core.ledger.debit([report(10, { run: "r1", user: ADA, startedAtMs: d.platform.nowMs })]);
    const atMs = d.save();
    d.platform.nowMs += HOUR_MS;
    await d.run(d.begin(atMs));
    expect(d.platform.sql.all("SELECT user FROM runs WHERE run = 'r1'")).toEqual([{ user: ADA }]);
  });

  it("continues seq above every number ever issued, behind a checkpoint", async () => {
    const atMs = await workAndSave();
    const last = seq();
    await d.run(d.begin(atMs));
    const [checkpoint] = entries();
    expect(checkpoint).toMatchObject({ by: "operator", facts: { type: "checkpoint", granted_micros: 5 } });
    expect(checkpoint?.seq).toBeGreaterThan(last);
    expect(seq()).toBe(checkpoint?.seq);
    const copied = d.copy.rows("SELECT seq, type FROM entries ORDER BY seq DESC")[0];
    expect(copied).toEqual({ seq: checkpoint?.seq, type: "checkpoint" });
    expect(await d.faults()).toEqual([]);
  });

  it("refuses every call until the ledger is back, also in the instance that went back", async () => {
    const atMs = await workAndSave();
    const job = d.begin(atMs);
    const all = settings({ name: "New" });
    const ask = () => {
      expect(() => d.core.gauge(OPERATOR)).toThrow("LedgerBusy");
      expect(() => d.core.management.provision("acme", all, all, null)).toThrow("LedgerBusy");
    };
    d.afterStep = (name) => {
      if (name !== "finish" && name !== "rebuilt") ask();
    };
    expect(d.restores.listed()).toEqual(["acme"]);
    for (let i = 0; i < 50 && d.restores.listed().length > 0; i++) await d.tick();
    expect(isRefusal(d.core.gauge(OPERATOR))).toBe(false);
    await d.run(job);
    expect(d.back).toEqual(["acme"]);
  });

  it("waits a minute before it begins", async () => {
    const job = d.begin(await workAndSave());
    const begunAtMs = d.platform.nowMs;
    let leftAtMs = 0;
    d.beforeStep = (name) => {
      if (name === "leave") leftAtMs = d.platform.nowMs;
    };
    await d.run(job);
    expect(leftAtMs - begunAtMs).toBeGreaterThanOrEqual(60_000);
  });

  it("runs no alarm in an instance that has gone back and does not know it yet", async () => {
    const atMs = await workAndSave();
    const job = d.begin(atMs);
    let alarms = 0;
    d.beforeStep = async (name) => {
      if (name !== "arrive") return;
      const before = d.platform.alarms.length;
      await d.core.alarm();
      alarms = d.platform.alarms.length - before;
      expect(d.copy.rows("SELECT 1 FROM runs WHERE run = 'r3'")).toHaveLength(1);
    };
    await d.run(job);
    expect(alarms).toBe(0);
  });

  it("leaves nothing for the copy to wait for when it has undone names", async () => {
    d.core.management.putDirectory({ workspaces: [], groups: [], users: [{ id: "bob", name: "Bob" }] });
    const atMs = d.save();
    d.core.management.putDirectory({ workspaces: [], groups: [], users: [{ id: "bob", name: "Robert" }] });
    await d.core.alarm();
    await d.run(d.begin(atMs));
    await d.core.jobs.runNow("project");
    expect(copyIsBehind(d.core.ledger)).toBe(false);
  });

  it("refuses cursors of exports from before", async () => {
    const page = d.core.data.exportPage("runs", null, 1);
    if (isRefusal(page)) throw new Error("the export was refused");
    await d.run(d.begin(await workAndSave()));
    expect(d.core.data.exportPage("runs", page.next, 1)).toMatchObject({ refusal: { code: "cursor_expired" } });
    expect(isRefusal(d.core.data.exportPage("runs", null, 1))).toBe(false);
  });

  it("marks the copy as incomplete until it is rebuilt", async () => {
    const job = d.begin(await workAndSave());
    let isComplete = true;
    d.afterStep = (name) => {
      if (name !== "finish" || d.core.restorer.underWay) return;
      const view = d.core.copyView(OPERATOR);
      if (isRefusal(view)) throw new Error("the view was refused");
      const head = d.copy.rows("SELECT revision FROM enterprises")[0];
      isComplete = Number(head?.revision) >= (view.copy?.revision ?? 0);
    };
    await d.run(job);
    expect(isComplete).toBe(false);
    const view = d.core.copyView(OPERATOR);
    if (isRefusal(view)) throw new Error("the view was refused");
    const head = d.copy.rows("SELECT revision, since_revision FROM enterprises")[0];
    expect(head?.revision).toBeGreaterThanOrEqual(view.copy?.revision ?? 0);
    expect(head?.since_revision).toBeLessThanOrEqual(view.copy?.sinceRevision ?? 0);
  });

  it("can be done again, to an even earlier moment", async () => {
    const first = d.save();
    d.platform.nowMs += 1_000;
    const second = await workAndSave();
    addKey("made since");
    await d.run(d.begin(second));
    const last = seq();
    await d.run(d.begin(first));
    expect(used()).toBe(0);
    expect(seq()).toBeGreaterThan(last);
    expect(isRefusal(d.core.gauge(key("made since")))).toBe(false);
    expect(await d.faults()).toEqual([]);
  });

  it("ends jobs that the earlier moment interrupted, and an audit's notes", async () => {
    addKey("old");
    await d.core.jobs.start("rebuild", null);
    const atMs = d.save();
    await d.core.jobs.runSlices("rebuild", 100);
    d.platform.nowMs += HOUR_MS;
    await d.run(d.begin(atMs));
    expect(await d.faults()).toEqual([]);
  });
});

describe("a restore that fails on the way", () => {
  const STEPS: (keyof RestoreSteps)[] = ["close", "read", "leave", "arrive", "count", "put", "finish", "rebuilt"];

  it.each(STEPS)(
    "repeats the step %s, whether it failed or its answer was lost, also in a new instance",
    async (step) => {
      const atMs = await workAndSave();
      await d.core.data.eraseUser(ADA);
      addKey("made since");
      let failures = 0;
      const failOnce = (limit: number) => (name: keyof RestoreSteps) => {
        if (name !== step || failures >= limit) return;
        failures += 1;
        d.restart();
        throw new Error("connection lost");
      };
      d.beforeStep = failOnce(2);
      d.afterStep = failOnce(4);
      expect((await d.run(d.begin(atMs))).state).toBe("done");
      expect(failures).toBe(4);
      expect(used()).toBe(30);
      expect(isRefusal(d.core.gauge(key("made since")))).toBe(false);
      expect(objectTexts().filter((text) => text.includes(ADA))).toEqual([]);
      expect(await d.faults()).toEqual([]);
    },
  );

  it("is given up when the platform does not take the object back, and changes nothing", async () => {
    const atMs = await workAndSave();
    d.goesBack = false;
    const job = await d.run(d.begin(atMs));
    expect(job).toMatchObject({ state: "failed", detail: "the platform did not take the object back" });
    expect(used()).toBe(150);
    expect(isRefusal(d.core.gauge(OPERATOR))).toBe(false);
    expect(d.restores.listed()).toEqual([]);
    expect(await d.faults()).toEqual([]);
  });

  it("is undone when the enterprise did not exist at that moment", async () => {
    await workAndSave();
    const job = await d.run(d.begin(NOON - DAY_MS));
    expect(job).toMatchObject({ state: "failed", detail: "the enterprise did not exist at that time" });
    expect(used()).toBe(150);
    expect(isRefusal(d.core.gauge(OPERATOR))).toBe(false);
  });
});

describe("the check before a restore", () => {
  const codeOf = async (atMs: number) => (await d.core.checkRestore(atMs))?.refusal.code ?? "possible";

  it("refuses a moment that is not within the last 30 days, or before the enterprise was created", async () => {
    d.platform.nowMs += 40 * DAY_MS;
    const now = d.platform.nowMs;
    expect(await codeOf(now - HOUR_MS)).toBe("possible");
    expect(await codeOf(now)).toBe("validation_failed");
    expect(await codeOf(now - 31 * DAY_MS)).toBe("validation_failed");
    d.platform.nowMs = NOON + HOUR_MS;
    expect(await codeOf(NOON - 1)).toBe("validation_failed");
  });

  it("says when the platform has no recovery, whatever the moment", async () => {
    d.platform.recovery = undefined as never;
    d.restart();
    expect(await codeOf(NOON)).toBe("not_supported");
    expect(await codeOf(NOON + DAY_MS)).toBe("not_supported");
  });
});
