// What simulated worlds have found, each as small as it can be told.
import { expect, it } from "vitest";
import { compareCopy } from "../../src/copy/compare.ts";
import { writeBatch } from "../../src/copy/write.ts";
import { Bookkeeper } from "../../src/enterprise/books/bookkeeper.ts";
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

async function copyAll(keeper: Bookkeeper, copy: CopyDb): Promise<void> {
  for (let batch = takeBatch(keeper); batch !== null; batch = takeBatch(keeper)) {
    await writeBatch(copy, batch);
    confirmBatch(keeper, batch);
  }
}

async function faultsOf(keeper: Bookkeeper, copy: CopyDb): Promise<string[]> {
  return (await compareCopy(copy, "acme", rebuildBatches(keeper), 0)).faults;
}

it("keeps a run that cost nothing in the cycle in which it was heard, also after the turn", async () => {
  const keeper = openBooks();
  const copy = new CopyDb(fairNetwork);
  debit(keeper, report(10, { run: "given back" }));
  debit(keeper, report(0, { run: "given back", tokens: tokens(), final: true }));
  debit(keeper, report(0, { run: "free" }));
  granted(keeper.start(start({ run: "silent" })));
  await copyAll(keeper, copy);
  const cycles = () => copy.rows("SELECT run, cycle_starts_at_ms FROM runs WHERE enterprise = 'acme' ORDER BY run");
  const before = cycles();
  keeper.moveClock(APRIL + 1);
  await copyAll(keeper, copy);
  expect(await faultsOf(keeper, copy)).toEqual([]);
  expect(cycles()).toEqual(before);
});

it("lets a silent run keep the unit that it was copied with when the billing model changes", async () => {
  const keeper = openBooks();
  const copy = new CopyDb(fairNetwork);
  granted(keeper.start(start({ run: "silent" })));
  await copyAll(keeper, copy);
  granted(keeper.changeSettings({ billingModel: "byom" }, "operator"));
  await copyAll(keeper, copy);
  expect(await faultsOf(keeper, copy)).toEqual([]);
});

it("forgets a run when its summary has had its time, and then turns nobody away for contradicting it", () => {
  const keeper = openBooks();
  debit(keeper, report(10, { run: "ancient" }));
  keeper.moveClock(NOON + 401 * DAY_MS);
  const askAsAnother = () => keeper.start(start({ run: "ancient", user: "somebody else", startedAtMs: NOON }));
  expect(codeOf(askAsAnother())).toBe("run_attribution_conflict");
  prune(keeper);
  expect(codeOf(askAsAnother())).toBe("run_too_old");
});

it("writes the copy on time though the object was evicted while a batch was on its way, and called again", () => {
  const clock = { nowMs: NOON };
  const machine = { nowMs: () => clock.nowMs, fetch: () => Promise.reject(new Error("no network")), log: () => {} };
  const standDown = standIn(machine);
  try {
    const alarms: number[] = [];
    const state = { storage: { setAlarm: (atMs: number) => alarms.push(atMs) } };
    const keeper = openByClock(clock);
    const copy = new CopyDb(() => Promise.withResolvers<void>().promise);
    const env = { DB: copy, SIGNING_SECRET: "", ENTERPRISE: { getByName: () => ({}) } };
    debit(keeper, report(10));
    new Background(state as never, env as never, keeper).changed(false);
    const [dueAtMs] = alarms as [number];
    expect(dueAtMs - NOON).toBeLessThanOrEqual(5_000);
    // The alarm rings, the batch leaves, and the object is gone. The platform would ring again in two seconds, but a
    // call comes first, and sets another alarm.
    clock.nowMs = dueAtMs + 1_500;
    const woken = new Bookkeeper(keeper.sql, () => clock.nowMs);
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
    const keeper = openBooks();
    const env = { DB: new CopyDb(fairNetwork), SIGNING_SECRET: "", ENTERPRISE: { getByName: () => ({}) } };
    const background = new Background(state as never, env as never, keeper);
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
    const keeper = openByClock({ nowMs: NOON });
    const elsewhere = { getByName: () => ({ addGrant: () => Promise.reject(new Error("connection lost")) }) };
    const env = { DB: new CopyDb(fairNetwork), SIGNING_SECRET: "", ENTERPRISE: elsewhere };
    const background = new Background(state as never, env as never, keeper);
    background.changed(false);
    putReferral(keeper.sql, { referrer: "friend", bonusMicros: 1, atMs: NOON, settled: false });
    await background.attempt("settle_referral");
    expect(alarms.at(-1)).toBe(NOON + 1_000);
  } finally {
    standDown();
  }
});
