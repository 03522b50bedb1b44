/** Which entry prices a name when the enterprise has overrides, and the rates of an entry at a tier. */
import { describe, expect, it } from "vitest";
import { chooseEntry, indexEntries, matchInBook, type PriceEntry, ratesAt } from "../../src/ledger/price-list.ts";

type Listed = { id: string; aliases: string[] };

/** An index of entries, each written as an id and its aliases. */
function listOf(...entries: string[]) {
  const listed = entries.map((entry): Listed => {
    const [id = "", ...aliases] = entry.split(" ");
    return { id, aliases };
  });
  return indexEntries(listed, ({ id }): PriceEntry => ({ id, rates: {}, tiers: {} }));
}

/** Returns the source and the id that price a name, or null if nothing does. */
function choose(name: string, book: string[], overrides: string[]) {
  const chosen = chooseEntry(name, matchInBook(listOf(...book), name), listOf(...overrides));
  return chosen === null ? null : `${chosen.source} ${chosen.id}`;
}

describe("the entry that prices a name", () => {
  it("is the book's, unless an override matches at the same step or earlier", () => {
    expect(choose("gpt-5", ["gpt-5"], [])).toBe("book gpt-5");
    expect(choose("gpt-5", ["gpt-5"], ["gpt-5"])).toBe("override gpt-5");
    expect(choose("openai/gpt-5", ["openai/gpt-5"], ["gpt-5"])).toBe("book openai/gpt-5");
    expect(choose("openai/gpt-5", ["gpt-5"], ["openai/gpt-5"])).toBe("override openai/gpt-5");
  });

  it("is the override with the id of the book's entry, whatever the model was called", () => {
    expect(choose("chat", ["gpt-5 chat"], ["gpt-5"])).toBe("override gpt-5");
  });

  it("is an entry `*` only if nothing else prices the name, and the name stays the id", () => {
    expect(choose("gpt-5", ["gpt-5"], ["*"])).toBe("book gpt-5");
    expect(choose("mystery", ["gpt-5"], ["*"])).toBe("fallback mystery");
    expect(choose("mystery", ["gpt-5", "*"], [])).toBe("fallback mystery");
    expect(choose("mystery", ["gpt-5"], [])).toBeNull();
  });

  it("is none for a name that means two models, even with an entry `*`", () => {
    const tied = { kind: "tie", step: 1 } as const;
    expect(chooseEntry("model-x", tied, listOf("*"))).toBeNull();
    expect(chooseEntry("model-x", tied, null)).toBeNull();
  });
});

describe("the rates at a tier", () => {
  const entry: PriceEntry = {
    id: "m",
    rates: { input: 10, output: 20 },
    tiers: { batch: { aboveInputTokens: null, rates: { input: 5 } } },
  };

  it("are the tier's own, and the entry's where the tier lists none", () => {
    expect(ratesAt(entry, "batch")).toMatchObject({ input: 5, output: 20, cache_read: 5 });
  });

  it("are those of the standard tier if the entry lacks the tier", () => {
    expect(ratesAt(entry, "flex")).toEqual(ratesAt(entry, "standard"));
    expect(ratesAt(entry, "constructor")).toEqual(ratesAt(entry, "standard"));
    expect(ratesAt(entry, "standard")).toMatchObject({ input: 10, output: 20 });
  });
});
