// The known bugs: tools/mutations/*.txt. A heading names the layers that are to catch what follows; then one paragraph
// for each bug: a sentence, the file, the lines to find (-) and to put in their place (+).
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A bug that can be planted; `layers` are those that are to catch it, the quickest first. */
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

/** The source with the bug in it; null where its place cannot be told. */
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
