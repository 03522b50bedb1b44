// What an isolate knows about restores. Each test loads the module as a new isolate does, with a catalog that answers as
// the test wants. These tests have their own file, because loading modules again ends the objects that run.
import { afterEach, describe, expect, it, vi } from "vitest";

afterEach(() => vi.restoreAllMocks());

describe("what an isolate knows about restores", () => {
  const later = () => vi.spyOn(Date, "now").mockReturnValue(Date.now() + 600_000);
  const ctx = { waitUntil: () => {} };
  /** Bindings whose catalog answers with this. */
  const withCatalog = (restoring: () => Promise<string[]>) =>
    ({ CATALOG: { getByName: () => ({ restoring }) } }) as unknown as Env;
  /** The module as in a new isolate. */
  async function newIsolate() {
    vi.resetModules();
    return import("../../src/catalog/restoring.ts");
  }

  it.each(["a new isolate", "an isolate whose list is old"])(
    "in %s, requests that arrive together all wait for the list",
    async (which) => {
      const { renewRestoring, refuseRestoring } = await newIsolate();
      if (which !== "a new isolate") {
        await renewRestoring(
          withCatalog(async () => []),
          ctx,
        );
        later();
      }
      const slow = withCatalog(() => new Promise((resolve) => setTimeout(() => resolve(["e"]), 50)));
      const first = renewRestoring(slow, ctx);
      await renewRestoring(slow, ctx);
      expect(() => refuseRestoring("e")).toThrow("LedgerBusy: e is being restored");
      await first;
    },
  );

  it("a new isolate that cannot read the list refuses calls until it can", async () => {
    const { renewRestoring, refuseRestoring } = await newIsolate();
    vi.spyOn(console, "error").mockImplementation(() => {});
    await renewRestoring(
      withCatalog(() => Promise.reject(new Error("overloaded"))),
      ctx,
    );
    expect(() => refuseRestoring("e")).toThrow("LedgerBusy");
    await renewRestoring(
      withCatalog(async () => []),
      ctx,
    );
    expect(() => refuseRestoring("e")).not.toThrow();
  });

  it("an isolate with a list goes on with it while the catalog does not answer", async () => {
    const { renewRestoring, refuseRestoring } = await newIsolate();
    await renewRestoring(
      withCatalog(async () => ["e"]),
      ctx,
    );
    later();
    vi.spyOn(console, "error").mockImplementation(() => {});
    let asked = 0;
    const down = withCatalog(() => {
      asked += 1;
      return Promise.reject(new Error("overloaded"));
    });
    for (let i = 0; i < 3; i++) await renewRestoring(down, ctx);
    expect(asked).toBe(1);
    expect(() => refuseRestoring("e")).toThrow("LedgerBusy");
    expect(() => refuseRestoring("f")).not.toThrow();
  });
});
