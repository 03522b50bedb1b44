/** The blocks of code in the documentation. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./server.ts";

export type Block = {
  /** `README.md: Deploy` is the block under that heading, `docs/operate.md: Logs (2)` the second one under it. */
  name: string;
  /** The heading above the block. */
  heading: string;
  language: string;
  code: string;
};

/**
 * Returns the blocks of a file that name their language. The others are diagrams. A block may be indented, as in a list.
 * Blocks are named after their heading, so that a new block changes the names of no others.
 */
export function blocksOf(file: string): Block[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  const counts = new Map<string, number>();
  let heading = "";
  // A line of a block that starts with # is a comment, not a heading.
  return [...text.matchAll(/^#+ ([^\n]*)$|^( *)```(\w*)\n(.*?)^\2```$/gms)].flatMap((match) => {
    const [, title, indent = "", language = "", code = ""] = match;
    if (title !== undefined) heading = title;
    if (language === "") return [];
    const count = (counts.get(heading) ?? 0) + 1;
    counts.set(heading, count);
    const name = `${file}: ${heading}${count === 1 ? "" : ` (${count})`}`;
    return { name, heading, language, code: code.replaceAll(new RegExp(`^${indent}`, "gm"), "") };
  });
}
