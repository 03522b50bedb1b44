/** The blocks of code in the documentation. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./server.ts";

export type Block = {
  /** `README.md 2` is the second block of the README that names its language. */
  name: string;
  /** The heading above the block. */
  heading: string;
  language: string;
  code: string;
};

/** The blocks of a file that name their language. The others are diagrams. A block may be indented, as in a list. */
export function blocksOf(file: string): Block[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(/^( *)```(\w+)\n(.*?)^\1```$/gms)].map((match, i) => {
    const [, indent = "", language = "", code = ""] = match;
    const heading = [...text.slice(0, match.index).matchAll(/^#+ (.*)$/gm)].at(-1)?.[1] ?? "";
    const unindented = code.replaceAll(new RegExp(`^${indent}`, "gm"), "");
    return { name: `${file} ${i + 1}`, heading, language, code: unindented };
  });
}
