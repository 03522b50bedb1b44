/**
 * Reads the project's files for the checks in tidy.test.ts: what each file imports and exports, and what its header says.
 * It works on the text, with patterns that fit code formatted by Biome. It does not parse TypeScript.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/** One file's reference to another. `names` is null when the file may use everything the other one exports. */
type Import = { from: string; to: string; names: string[] | null };

const ROOT = resolve(import.meta.dirname, "../..");
const NAME = "[A-Za-z_$][\\w$]*";
const DECLARATION = new RegExp(
  `^export (?:default )?(?:declare |abstract |async )*(?:const enum|const|let|function\\*?|class|type|interface|enum) (${NAME})`,
  "gm",
);

/** Every file below a folder, as paths from the project's root; none if the folder does not exist. */
export function listFiles(folder: string): string[] {
  if (!existsSync(join(ROOT, folder))) return [];
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name === "dist") return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}

/** The text of a file, by its path from the project's root. */
export function read(path: string): string {
  const text = texts.get(path) ?? readFileSync(join(ROOT, path), "utf8");
  texts.set(path, text);
  return text;
}
const texts = new Map<string, string>();

/** What a file imports from other files of the project, types and `export … from` included. */
export function importsOf(file: string): Import[] {
  const text = read(file);
  const found = (path: string, names: string[] | null): Import => {
    return { from: file, to: relative(ROOT, resolve(ROOT, dirname(file), path)), names };
  };
  const statements = text.matchAll(/^(?:import|export)\s+(?:type\s)?([^;]*?)\s*from\s+"(\.[^"]+)"/gms);
  const plain = text.matchAll(/^import\s+"(\.[^"]+)"/gm);
  const dynamic = text.matchAll(/(?:(?:const|let) \{([^}]*)\} = await )?\bimport\("(\.[^"]+)"\)(?:\.(\w+))?/g);
  return [
    ...[...statements].map(([, names = "", path = ""]) => found(path, importedNames(names, text))),
    ...[...plain].map(([, path = ""]) => found(path, [])),
    ...[...dynamic].map(([, names, path = "", name]) => {
      if (names !== undefined) return found(path, listedNames(names));
      return found(path, name === undefined ? null : [name]);
    }),
  ];
}

/** The names in an import or `export … from`; of `* as space`, those that the file reads from `space`. */
function importedNames(names: string, text: string): string[] | null {
  const space = /^\* as (\w+)/.exec(names)?.[1];
  if (space !== undefined)
    return [...text.matchAll(new RegExp(`\\b${space}\\.(${NAME})`, "g"))].map(([, name = ""]) => name);
  if (names.startsWith("*")) return null;
  const listed = /\{(.*)\}/s.exec(names)?.[1] ?? "";
  return [...(/^\w/.test(names) ? ["default"] : []), ...listedNames(listed)];
}

/** `a, type b as c` → a, b; `a: b` (from a destructuring) → a. */
function listedNames(list: string): string[] {
  return list
    .split(",")
    .map(
      (item) =>
        item
          .trim()
          .replace(/^type /, "")
          .split(/ as |:/)[0]
          ?.trim() ?? "",
    )
    .filter((name) => name !== "");
}

/** The names that a file exports, by which others can import them. */
export function exportsOf(file: string): string[] {
  const text = read(file);
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = ""]) => {
    return list.split(",").map(
      (item) =>
        item
          .trim()
          .replace(/^type /, "")
          .split(" as ")
          .at(-1)
          ?.trim() ?? "",
    );
  });
  const declared = [...text.matchAll(DECLARATION)].map(([statement, name = ""]) => {
    return statement.startsWith("export default") ? "default" : name;
  });
  return [...lists, ...declared].filter((name) => name !== "");
}

/** One cycle in each group of files that import each other, as a list of files that begins and ends with the same one. */
export function importCycles(imports: readonly Import[]): string[][] {
  const targets = Map.groupBy(imports, ({ from }) => from);
  const next = (file: string) => (targets.get(file) ?? []).map(({ to }) => to);
  const pathBack = (start: string): string[] | null => {
    const cameFrom = new Map<string, string>();
    const queue = [start];
    for (const file of queue) {
      for (const to of next(file)) {
        if (to === start) return [...trail(cameFrom, file), start];
        if (cameFrom.has(to)) continue;
        cameFrom.set(to, file);
        queue.push(to);
      }
    }
    return null;
  };
  const cycles: string[][] = [];
  for (const file of [...targets.keys()].sort()) {
    if (cycles.some((cycle) => cycle.includes(file))) continue;
    const cycle = pathBack(file);
    if (cycle !== null) cycles.push(cycle);
  }
  return cycles;
}

function trail(cameFrom: ReadonlyMap<string, string>, last: string): string[] {
  const before = cameFrom.get(last);
  return before === undefined ? [last] : [...trail(cameFrom, before), last];
}

/** The comment at the head of a file, "" when it has none. */
export function headerOf(file: string): string {
  const text = read(file).replace(/^#!.*\n/, "");
  return /^\s*(\/\*[\s\S]*?\*\/|(?:(?:\/\/|--|#).*\n)+)/.exec(text)?.[1] ?? "";
}

export function lineCount(file: string): number {
  return read(file).trimEnd().split("\n").length;
}
