// Readers of the copy: what is read at the same time is one call of D1, and a query that fails affects no other.
import { expect, it } from "vitest";
import { openCopy } from "../../../src/copy/checked-copy.ts";
import { readChanges, readNames, readTop } from "../../../src/copy/read.ts";
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

it("refuses all of them if the copy lacks something, and reports that once", async () => {
  const { copy, batches, reported } = open({ revision: 7, sinceRevision: 1 });
  const reads = [readChanges(copy, "acme", 10), readTop(copy, QUESTION, 10, null)];
  for (const read of await Promise.allSettled(reads)) expect(read.status).toBe("rejected");
  expect([batches(), reported()]).toEqual([1, 1]);
});
