// The bugs that `npm run mutations` plants: the lines that each one replaces must occur exactly once in its file.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { plant, readMutations } from "../../tools/mutations/read.ts";

const ROOT = join(import.meta.dirname, "..", "..");

it("can plant every known bug, and every bug changes the source", () => {
  const mutations = readMutations();
  const unplanted = mutations.filter((mutation) => {
    const source = readFileSync(join(ROOT, mutation.file), "utf8");
    return [null, source].includes(plant(mutation, source));
  });
  expect(unplanted.map(({ note, file }) => `${file}: ${note}`)).toEqual([]);
  expect(mutations.length).toBeGreaterThanOrEqual(30);
  expect(new Set(mutations.map(({ note }) => note)).size).toBe(mutations.length);
});
