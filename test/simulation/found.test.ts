// What simulated worlds have found, each as small as it can be told.
import { expect, it } from "vitest";
import { compareCopy } from "../../src/copy/compare.ts";
import { writeBatch } from "../../src/copy/write.ts";
import { Ledger } from "../../src/enterprise/books/ledger.ts";
import { putReferral } from "../../src/enterprise/books/referral.ts";
import { confirmBatch, rebuildBatches, takeBatch } from "../../src/enterprise/copy/projection.ts";
import { Background } from "../../src/enterprise/jobs/background.ts";
import { prune } from "../../src/enterprise/jobs/pruning.ts";
import {
  APRIL,
  codeOf,
  DAY_MS,
  debit,
  granted,
  MINUTE_MS,
  NOON,
  openBooks,
  openByClock,
  report,
  start,
  tokens,
} from "../support/books.ts";
import { CopyDb } from "./copy-db.ts";
import { standIn } from "./stand-in.ts";

const fairNetwork = async (apply: () => void) => apply();

async function copyAll(ledger: Ledger, copy: CopyDb): Promise<void> {
  for (let batch = takeBatch(ledger); batch !== null; batch = takeBatch(ledger)) {
    await writeBatch(copy, batch);
    confirmBatch(ledger, batch);
  }
}

async function faultsOf(ledger: Ledger, copy: CopyDb): Promise<string[]> {
  return (await compareCopy(copy, "acme", rebuildBatches(ledger), 0)).faults;
}

it("keeps a run that cost nothing in the cycle in which it was heard, also after the turn", async () => {
  const ledger = openBooks();
  const copy = new CopyDb(fairNetwork);
  debit(ledger, report(10, { run: "given back" }));
  debit(ledger, report(0, { run: "given back", tokens: tokens(), final: true }));
  debit(ledger, report(0, { run: "free" }));
  granted(ledger.start(start({ run: "silent" })));
  await copyAll(ledger, copy);
  const cycles = () => copy.rows("SELECT run, cycle_starts_at_ms FROM runs WHERE enterprise = 'acme' ORDER BY run");
  const before = cycles();
  ledger.moveClock(APRIL + 1);
  await copyAll(ledger, copy);
  expect(await faultsOf(ledger, copy)).toEqual([]);
  expect(cycles()).toEqual(before);
});

it("lets a silent run keep the unit that it was copied with when the billing model changes", async () => {
  const ledger = openBooks();
  const copy = new CopyDb(fairNetwork);
  granted(ledger.start(start({ run: "silent" })));
  await copyAll(ledger, copy);
  granted(ledger.changeSettings({ billingModel: "byom" }, "operator"));
  await copyAll(ledger, copy);
  expect(await faultsOf(ledger, copy)).toEqual([]);
});

it("forgets a run when its summary has had its time, and then turns nobody away for contradicting it", () => {
  const ledger = openBooks();
  debit(ledger, report(10, { run: "ancient" }));
  ledger.moveClock(NOON + 401 * DAY_MS);
  const askAsAnother = () => ledger.start(start({ run: "ancient", user: "somebody else", startedAtMs: NOON }));
  expect(codeOf(askAsAnother())).toBe("run_attribution_conflict");
  prune(ledger);
  expect(codeOf(askAsAnother())).toBe("run_too_old");
});

it("writes the copy on time though the object was evicted while a batch was on its way, and called again", () => {
  const clock = { nowMs: NOON };
  const machine = { nowMs: () => clock.nowMs, fetch: () => Promise.reject(new Error("no network")), log: () => {} };
  const standDown = standIn(machine);
  try {
    const alarms: number[] = [];
    const state = { storage: { setAlarm: (atMs: number) => alarms.push(atMs) } };
    const ledger = openByClock(clock);
    const copy = new CopyDb(() => Promise.withResolvers<void>().promise);
    const env = { DB: copy, SIGNING_SECRET: "", ENTERPRISE: { getByName: () => ({}) } };
    debit(ledger, report(10));
    new Background(state as never, env as never, ledger).changed(false);
    const [dueAtMs] = alarms as [number];
    expect(dueAtMs - NOON).toBeLessThanOrEqual(5_000);
    // The alarm rings, the batch leaves, and the object is gone. The platform would ring again in two seconds, but a
    // call comes first, and sets another alarm.
    clock.nowMs = dueAtMs + 1_500;
    const woken = new Ledger(ledger.sql, () => clock.nowMs);
    debit(woken, report(20));
    new Background(state as never, env as never, woken).changed(false);
    expect(alarms.at(-1)).toBe(clock.nowMs);
  } finally {
    standDown();
  }
});

it("sets an alarm anew that the platform gave up, at the next call", () => {
  const clock = { nowMs: NOON };
  const machine = { nowMs: () => clock.nowMs, fetch: () => Promise.reject(new Error("no network")), log: () => {} };
  const standDown = standIn(machine);
  try {
    const alarms: number[] = [];
    const state = { storage: { setAlarm: (atMs: number) => alarms.push(atMs) } };
    const ledger = openBooks();
    const env = { DB: new CopyDb(fairNetwork), SIGNING_SECRET: "", ENTERPRISE: { getByName: () => ({}) } };
    const background = new Background(state as never, env as never, ledger);
    background.changed(false);
    expect(alarms).toHaveLength(1);
    clock.nowMs += MINUTE_MS;
    background.changed(false);
    expect(alarms).toHaveLength(1);
    clock.nowMs += 10 * MINUTE_MS;
    background.changed(false);
    expect(alarms).toEqual([alarms[0], clock.nowMs]);
  } finally {
    standDown();
  }
});

it("tries a job that failed again by its own alarm, also when nobody calls", async () => {
  const machine = { nowMs: () => NOON, fetch: () => Promise.reject(new Error("no network")), log: () => {} };
  const standDown = standIn(machine);
  try {
    const alarms: number[] = [];
    const state = { storage: { setAlarm: (atMs: number) => alarms.push(atMs) } };
    const ledger = openByClock({ nowMs: NOON });
    const elsewhere = { getByName: () => ({ addGrant: () => Promise.reject(new Error("connection lost")) }) };
    const env = { DB: new CopyDb(fairNetwork), SIGNING_SECRET: "", ENTERPRISE: elsewhere };
    const background = new Background(state as never, env as never, ledger);
    background.changed(false);
    putReferral(ledger.sql, { referrer: "friend", bonusMicros: 1, atMs: NOON, settled: false });
    await background.attempt("settle_referral");
    expect(alarms.at(-1)).toBe(NOON + 1_000);
  } finally {
    standDown();
  }
});
