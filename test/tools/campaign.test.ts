// A layer of the campaign stops at its share of the time, so that the layers after it run too.
import { describe, expect, it } from "vitest";
import { LAYERS, nextSize } from "../../tools/campaign/layers.ts";

describe("the size of the next round of a campaign's layer", () => {
  it("grows while there is time", () => {
    expect(nextSize(1_000, 10_000, 40_000)).toBe(4_000);
  });

  it("stays the same if the rest of the time is enough for exactly one more round", () => {
    expect(nextSize(1_000, 10_000, 10_000)).toBe(1_000);
  });

  it.each([9_999, 0, -1])("is 0 if the time that is left is %i ms, and a round takes 10 s", (leftMs) => {
    expect(nextSize(1_000, 10_000, leftMs)).toBe(0);
  });
});

it("divides the whole time among the layers", () => {
  expect(Object.values(LAYERS).reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
});
