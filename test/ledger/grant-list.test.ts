// The list of open grants equals a plain sorted array after every change, and no list is ever changed.
import fc from "fast-check";
import { expect, it } from "vitest";
import { byDrawOrder, type Grant, type GrantList, grantRemaining, grantUsable } from "../../src/ledger/books.ts";
import {
  changedGrants,
  dropGrants,
  eachExpiry,
  eachGrant,
  eachUsable,
  findGrant,
  firstOpen,
  listGrants,
  putGrants,
  usableSum,
} from "../../src/ledger/grant-list.ts";
import { DAY_MS, grant, NOON } from "../support/books.ts";
import { cases } from "../support/cases.ts";

const DAYS = 6;

/** A grant whose place follows from its number, as that of a real one follows from its seq. */
function numbered(n: number, drawnMicros: number, voided = false): Grant {
  const expiresAtMs = n % DAYS === 0 ? null : NOON + (n % DAYS) * DAY_MS;
  const voidedMicros = voided ? 100 - drawnMicros : 0;
  return grant(`g${n}`, { seq: n, grantedAtMs: NOON - (n % 7), expiresAtMs, drawnMicros, voided, voidedMicros });
}

/** Every question about the list, answered from all grants. */
function same(list: GrantList, all: readonly Grant[], nowMs: number): void {
  const open = all.filter((one) => grantRemaining(one) > 0);
  const usable = open.filter((one) => grantUsable(one, nowMs));
  const sum = (of: readonly Grant[]) => of.reduce((total, one) => total + grantRemaining(one), 0);
  expect([...eachGrant(list)]).toEqual(all);
  expect([...eachUsable(list, nowMs)]).toEqual(usable);
  expect(firstOpen(list)).toEqual(open[0] ?? null);
  expect(usableSum(list, nowMs)).toEqual({ count: usable.length, micros: sum(usable) });
  const byExpiry = Map.groupBy(usable, (one) => one.expiresAtMs);
  expect([...eachExpiry(list, nowMs)]).toEqual(
    [...byExpiry].map(([expiresAtMs, grants]) => ({ micros: sum(grants), expiresAtMs })),
  );
  for (const one of all) expect(findGrant(list, one.id)).toBe(one);
}

const change = fc.record({
  from: fc.nat(1_500),
  count: fc.constantFrom(1, 3, 40, 400),
  drawnMicros: fc.constantFrom(0, 50, 100),
  what: fc.constantFrom("put", "put", "void", "drop", "forget"),
});

it("equals a sorted array after every change", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.nat(DAYS), (changes, day) => {
      const nowMs = NOON + day * DAY_MS;
      const known = new Map<string, Grant>();
      let list = listGrants([]);
      for (const { from, count, drawnMicros, what } of changes) {
        const [before, had] = [list, [...eachGrant(list)]];
        const grants = Array.from({ length: count }, (_, i) => numbered(from + i * 7, drawnMicros, what === "void"));
        if (what === "drop") for (const { id } of grants) known.delete(id);
        else if (what === "forget") known.clear();
        else for (const one of grants) known.set(one.id, one);
        list =
          what === "drop" ? dropGrants(list, grants) : what === "forget" ? listGrants([]) : putGrants(list, grants);
        const all = [...known.values()].sort(byDrawOrder);
        same(list, all, nowMs);
        expect(new Set(changedGrants(list, before))).toEqual(new Set(all.filter((one) => !had.includes(one))));
        expect([...eachGrant(before)]).toEqual(had);
      }
    }),
    cases(60),
  );
});

it("finds nothing that was dropped, and nothing that only another list has", () => {
  const list = listGrants([numbered(1, 0), numbered(2, 0)]);
  const without = dropGrants(list, [numbered(1, 0)]);
  const more = putGrants(without, [numbered(3, 0)]);
  expect(findGrant(without, "g1")).toBeNull();
  expect(findGrant(without, "g3")).toBeNull();
  expect(findGrant(more, "g3")).not.toBeNull();
  expect(findGrant(list, "g1")).not.toBeNull();
});

it("shares all chunks but one with the list before a draw", () => {
  const list = listGrants(Array.from({ length: 10_000 }, (_, n) => numbered(n, 0)));
  const drawn = putGrants(list, [numbered(5_000, 10)]);
  expect(drawn.chunks.filter((chunk) => !list.chunks.includes(chunk))).toHaveLength(1);
  expect(drawn.remainingMicros).toBe(list.remainingMicros - 10);
});

it("keeps few chunks and versions however many grants come and go", () => {
  let list = listGrants([]);
  for (let n = 0; n < 20_000; n++) {
    list = putGrants(list, [numbered(n, 0)]);
    if (n >= 100) list = dropGrants(list, [numbered(n - 100, 0)]);
  }
  expect([...eachGrant(list)]).toHaveLength(100);
  expect(list.chunks.length).toBeLessThan(20);
  expect(list.versions.size).toBeLessThan(400);
});
