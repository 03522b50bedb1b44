// What an isolate knows about restores: no request may go on with a list that is too old.
import { beforeEach, describe, expect, it, vi } from "vitest";
import { KnownRestores, RefusalLog } from "../../../src/catalog/known-restores.ts";

let nowMs: number;
let known: KnownRestores;
let inBackground: Promise<unknown>[];
/** How often the list was asked for. */
let asked: number;

beforeEach(() => {
  nowMs = 1_000_000;
  known = new KnownRestores(() => nowMs);
  inBackground = [];
  asked = 0;
  vi.spyOn(console, "error").mockImplementation(() => {});
});

function renew(answer: () => Promise<string[]>): Promise<void> {
  const readList = () => {
    asked += 1;
    return answer();
  };
  return known.renew(readList, (work) => void inBackground.push(work));
}
const list =
  (...enterprises: string[]) =>
  async () =>
    enterprises;
const slow = () => new Promise<string[]>((resolve) => setTimeout(() => resolve(["e"]), 20));
const down = () => Promise.reject(new Error("overloaded"));

describe("what an isolate knows about restores", () => {
  it.each(["a new isolate", "an isolate whose list is old"])(
    "in %s, requests that arrive together all wait for the list",
    async (which) => {
      if (which !== "a new isolate") {
        await renew(list());
        nowMs += 30_000;
      }
      const first = renew(slow);
      await renew(slow);
      expect(() => known.refuse("e")).toThrow("LedgerBusy: e is being restored");
      await first;
    },
  );

  it("is renewed in the background before it is too old, so no request waits", async () => {
    await renew(list());
    nowMs += 19_999;
    await renew(list("e"));
    expect(asked).toBe(1);
    nowMs += 1;
    await Promise.all([renew(list("e")), renew(list("e"))]);
    expect([asked, inBackground.length]).toEqual([2, 1]);
    await inBackground[0];
    expect(() => known.refuse("e")).toThrow("LedgerBusy");
  });

  it("is nothing in a new isolate that cannot read the list, which refuses calls until it can", async () => {
    await renew(down);
    expect(() => known.refuse("e")).toThrow("LedgerBusy");
    await renew(list("f"));
    expect(() => known.refuse("e")).not.toThrow();
    expect(() => known.refuse("f")).toThrow("LedgerBusy");
  });

  it("stays in use while the list cannot be read, and the list is asked for once a second", async () => {
    await renew(list("e"));
    nowMs += 30_000;
    for (let i = 0; i < 3; i++) await renew(down);
    expect(asked).toBe(2);
    expect(() => known.refuse("e")).toThrow("LedgerBusy");
    expect(() => known.refuse("f")).not.toThrow();
    nowMs += 1_000;
    await renew(list());
    expect(() => known.refuse("e")).not.toThrow();
  });

  it("includes what this isolate has listed itself", async () => {
    await renew(list());
    known.note("e");
    expect(() => known.refuse("e")).toThrow("LedgerBusy");
  });
});

describe("what an isolate logs", () => {
  const refusalOf = (enterprise: string): Error => {
    try {
      known.refuse(enterprise);
    } catch (error) {
      return error as Error;
    }
    throw new Error(`${enterprise} is not refused`);
  };

  it("is one refused call per enterprise and minute while restores run", async () => {
    await renew(list("e", "f"));
    const log = new RefusalLog();
    const logs = (enterprise: string) => log.shouldLog(refusalOf(enterprise), enterprise, nowMs);
    expect([logs("e"), logs("e"), logs("f"), logs("f")]).toEqual([true, false, true, false]);
    nowMs += 60_000;
    expect([logs("e"), logs("e")]).toEqual([true, false]);
  });

  it("is every call that fails for another reason", () => {
    const log = new RefusalLog();
    const busy = new Error("LedgerBusy: expired holds are not summed yet");
    expect([log.shouldLog(busy, "e", nowMs), log.shouldLog(busy, "e", nowMs)]).toEqual([true, true]);
  });
});
