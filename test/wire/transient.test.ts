/** Which failures a caller is asked to retry, and which count as bugs. */
import { describe, expect, it } from "vitest";
import { busyCauseOf, isCopyError, isTransient, isWorthRetrying } from "../../src/wire/transient.ts";

/** What workerd says about a method that an object does not have. */
const LACKS_METHOD = 'The RPC receiver does not implement the method "exportPage".';
const D1_LOST = new Error("D1_ERROR: Network connection lost.");

describe("a failure", () => {
  it.each([
    ["an overloaded object", Object.assign(new Error("Too many requests"), { overloaded: true })],
    ["a restarting object", Object.assign(new Error("Object reset"), { retryable: true })],
    ["an error of D1", D1_LOST],
    ["an error of D1 wrapped by the query builder", new Error("Failed query: select 1", { cause: D1_LOST })],
    ["one that is wrapped twice", new Error("outer", { cause: new Error("inner", { cause: D1_LOST }) })],
    ["a method that an object of the last release lacks", new TypeError(LACKS_METHOD)],
    ["an overloaded object, wrapped", new Error("outer", { cause: Object.assign(new Error(), { overloaded: true }) })],
  ])("is transient when it is %s", (_, error) => {
    expect(isTransient(error)).toBe(true);
  });

  it.each([
    ["an ordinary error", new TypeError("x is undefined")],
    ["an error that only resembles D1's", new Error("MY_D1_ERRORS")],
    ["no error at all", "D1_ERROR: thrown as text"],
    ["nothing", undefined],
  ])("is a bug when it is %s", (_, error) => {
    expect(isTransient(error)).toBe(false);
  });

  it("concerns the copy only when D1 caused it", () => {
    expect(isCopyError(new Error("Failed query", { cause: D1_LOST }))).toBe(true);
    expect(isCopyError(Object.assign(new Error("Too many requests"), { overloaded: true }))).toBe(false);
  });
});

it("says why a ledger is busy; overload before restart, because the platform may say both", () => {
  const platformError = (flags: object) => Object.assign(new Error("reset"), flags);
  expect(busyCauseOf(platformError({ overloaded: true, retryable: true }))).toBe("overload");
  expect(busyCauseOf(platformError({ retryable: true }))).toBe("restart");
  expect(busyCauseOf(new Error("outer", { cause: new Error("SQLITE_FULL: no space") }))).toBe("full");
  expect(busyCauseOf(new Error("LedgerBusy: the outbox is not folded"))).toBe("working");
  expect(busyCauseOf(new TypeError(LACKS_METHOD))).toBe("restart");
  expect(busyCauseOf(new Error("D1_ERROR: no such table"))).toBe(null);
  expect(busyCauseOf(new Error("a bug"))).toBe(null);
});

it("is worth repeating at once if the platform calls it retryable, unless the object is overloaded", () => {
  const platformError = (fields: object) => Object.assign(new Error("internal error"), fields);
  expect(isWorthRetrying(platformError({ retryable: true }))).toBe(true);
  expect(isWorthRetrying(new Error("wrapped", { cause: platformError({ retryable: true }) }))).toBe(true);
  expect(isWorthRetrying(platformError({ retryable: true, overloaded: true }))).toBe(false);
  expect(isWorthRetrying(platformError({ overloaded: true }))).toBe(false);
  expect(isWorthRetrying(new Error("a bug"))).toBe(false);
});
