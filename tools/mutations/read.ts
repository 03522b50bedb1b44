// Reads the known bugs from tools/mutations/*.txt. The heading of a file names the layers of tests that should catch its
// bugs. Then comes one paragraph per bug: a description, the file, the lines to find (-), and their replacement (+).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A known bug. `layers` are the layers of tests that should catch it, the quickest first. */
export interface Mutation {
  note: string;
  file: string;
  find: string;
  replace: string;
  layers: string[];
}

export function readMutations(): Mutation[] {
  const names = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".txt"));
  return names.sort().flatMap((name) => parseMutations(readFileSync(join(import.meta.dirname, name), "utf8")));
}

/** Returns the source with the bug, or null unless the lines to find occur exactly once. */
export function plant({ find, replace }: Mutation, source: string): string | null {
  return source.split(find).length === 2 ? source.replace(find, () => replace) : null;
}

function parseMutations(text: string): Mutation[] {
  const [heading = "", ...paragraphs] = text.trim().split("\n\n");
  const layers = (heading.split(":")[1] ?? "").split(",").map((layer) => layer.trim());
  return paragraphs.map((paragraph) => {
    const [note = "", file = "", ...lines] = paragraph.split("\n");
    const marked = (mark: string) => lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(2));
    return { note, file, find: marked("-").join("\n"), replace: marked("+").join("\n"), layers };
  });
}
