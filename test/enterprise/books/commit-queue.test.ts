import { expect, it } from "vitest";
import { CommitQueue } from "../../../src/enterprise/books/commit-queue.ts";

function queueWith(commit: (requests: readonly number[]) => number[]) {
  const groups: number[] = [];
  let flushes = 0;
  const queue = new CommitQueue<number, number, "refused">(
    (requests) => {
      groups.push(requests.length);
      return commit(requests);
    },
    () => {
      flushes += 1;
    },
    (act, delayMs) => {
      setTimeout(act, delayMs);
    },
  );
  return { queue, groups, flushes: () => flushes };
}

const admit = () => null;
const double = (requests: readonly number[]) => requests.map((n) => n * 2);

it("commits what arrives in one turn together, and answers each call with its results", async () => {
  const { queue, groups, flushes } = queueWith(double);
  expect(await Promise.all([queue.add([1, 2], admit), queue.add([3], admit), queue.add([], admit)])).toEqual([
    [2, 4],
    [6],
    [],
  ]);
  expect(groups).toEqual([3]);
  expect(flushes()).toBe(1);
});

it("commits what arrives in a later turn separately", async () => {
  const { queue, groups } = queueWith(double);
  await queue.add([1], admit);
  await queue.add([2], admit);
  expect(groups).toEqual([1, 1]);
});

it("splits many calls into commits that are small enough to store", async () => {
  const { queue, groups } = queueWith(double);
  const batches = Array.from({ length: 7 }, (_, i) => Array.from({ length: 400 }, (_, k) => i * 400 + k));
  expect((await Promise.all(batches.map((batch) => queue.add(batch, admit)))).flat()).toEqual(double(batches.flat()));
  expect(groups).toEqual([800, 800, 800, 400]);
});

it("answers the other calls of a group when one makes the commit fail", async () => {
  const { queue } = queueWith((requests) => {
    if (requests.includes(13)) throw new Error("unlucky");
    return double(requests);
  });
  const settled = await Promise.allSettled([queue.add([1], admit), queue.add([13], admit), queue.add([2], admit)]);
  expect(settled).toMatchObject([
    { status: "fulfilled", value: [2] },
    { status: "rejected", reason: { message: "unlucky" } },
    { status: "fulfilled", value: [4] },
  ]);
});

it("asks in the turn of the commit whether a call is refused, and commits the others", async () => {
  const { queue, groups } = queueWith(double);
  let revoked = false;
  const refuse = () => (revoked ? ("refused" as const) : null);
  const answers = [queue.add([1], refuse), queue.add([2, 3], admit), queue.add([4], refuse)];
  revoked = true;
  expect(await Promise.all(answers)).toEqual(["refused", [4, 6], "refused"]);
  expect(groups).toEqual([2]);
});

it("rejects only the call whose check fails", async () => {
  const { queue } = queueWith(double);
  const fail = () => {
    throw new Error("no storage");
  };
  const settled = await Promise.allSettled([queue.add([1], fail), queue.add([2], admit)]);
  expect(settled).toMatchObject([{ status: "rejected", reason: { message: "no storage" } }, { value: [4] }]);
});

it("commits the rest of a call in later turns if a commit takes only a part, in order", async () => {
  const { queue, groups } = queueWith((requests) => double(requests.slice(0, 2)));
  const calls = [queue.add([1, 2, 3, 4, 5], admit), queue.add([6], admit), queue.add([7, 8], admit)];
  expect(await Promise.all(calls)).toEqual([[2, 4, 6, 8, 10], [12], [14, 16]]);
  expect(groups).toEqual([8, 6, 4, 2]);
});

it("commits no more of a call that is refused before its next part", async () => {
  let refused = false;
  const { queue } = queueWith((requests) => {
    refused = true;
    return double(requests.slice(0, 1));
  });
  expect(await queue.add([1, 2], () => (refused ? "refused" : null))).toBe("refused");
});
