// Readers of the copy: what is read at the same time is one call of D1, and a query that fails affects no other.
import { expect, it } from "vitest";
import { openCopy } from "../../../src/copy/checked-copy.ts";
import { readChanges, readNames, readTop } from "../../../src/copy/read.ts";
import { timedD1 } from "../../../src/copy/timed-d1.ts";
import { CopyDb } from "../../simulation/copy-db.ts";

function open(mark = { revision: 0, sinceRevision: 0 }) {
  let batches = 0;
  const db = new CopyDb(async (apply) => {
    batches += 1;
    apply();
  });
  let reported = 0;
  const copy = openCopy(db, "acme", mark, () => {
    reported += 1;
  });
  return { copy, batches: () => batches, reported: () => reported };
}

const QUESTION = { enterprise: "acme", unit: "credits", cycleStartsAtMs: 0, dimension: "user" } as const;

it("sends queries that are made at the same time as one batch, and answers each of them", async () => {
  const { copy, batches } = open();
  const neighbour = "SELECT user FROM runs WHERE enterprise = ?";
  const [changes, top, names, rows] = await Promise.all([
    readChanges(copy, "acme", 10),
    readTop(copy, QUESTION, 10, null),
    readNames(copy, "acme", "user", ["u1"]),
    copy.prepare(neighbour).bind("neighbour").all(),
  ]);
  expect([changes, top, [...names], rows.results]).toEqual([[], [], [], [{ user: "u1" }]]);
  expect(batches()).toBe(1);
  await readChanges(copy, "acme", 10);
  expect(batches()).toBe(2);
});

it("answers the other queries if one of them fails", async () => {
  const { copy } = open();
  const [good, bad] = await Promise.allSettled([
    readChanges(copy, "acme", 10),
    copy.prepare("SELECT * FROM no_such_table").bind().all(),
  ]);
  expect([good.status, bad.status]).toEqual(["fulfilled", "rejected"]);
});

it("sends queries that are made while others are read as the next batch", async () => {
  const { copy, batches } = open();
  const first = Promise.all([readChanges(copy, "acme", 10), readTop(copy, QUESTION, 10, null)]);
  // The first batch has been sent by now.
  for (let turn = 0; turn < 100 && batches() === 0; turn++) await null;
  const second = readNames(copy, "acme", "user", ["u1"]);
  expect([await first, [...(await second)], batches()]).toEqual([[[], []], [], 2]);
});

it("tries no query again after a call that took too long", async () => {
  let calls = 0;
  const d1 = {
    ...new CopyDb(async (apply) => apply()),
    prepare: () => ({ bind: () => ({}) }),
  } as unknown as D1Database;
  d1.batch = () => {
    calls += 1;
    return new Promise(() => {});
  };
  const copy = openCopy(
    timedD1(
      () => d1,
      5,
      (act) => setTimeout(act, 5),
    ),
    "acme",
    { revision: 0, sinceRevision: 0 },
  );
  const reads = ["SELECT 1", "SELECT 2"].map((text) => copy.prepare(text).bind().all());
  for (const read of await Promise.allSettled(reads)) {
    expect(read).toMatchObject({ status: "rejected", reason: { message: expect.stringContaining("CopyTimeout") } });
  }
  expect(calls).toBe(1);
});

it("refuses all of them if the copy lacks something, and reports that once", async () => {
  const { copy, batches, reported } = open({ revision: 7, sinceRevision: 1 });
  const reads = [readChanges(copy, "acme", 10), readTop(copy, QUESTION, 10, null)];
  for (const read of await Promise.allSettled(reads)) expect(read.status).toBe("rejected");
  expect([batches(), reported()]).toEqual([1, 1]);
});
