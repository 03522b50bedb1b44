/** Checks the conventions of the project that can be checked by reading its files. */
import { dirname } from "node:path";
import { expect, it } from "vitest";
import { PROBLEMS } from "../src/wire/problem-catalogue.ts";
import { renderErrorsPage } from "./support/errors-page.ts";
import { exportsOf, headerOf, importCycles, importsOf, lineCount, listFiles, read } from "./support/sources.ts";

/** The folders of src and packages, each with those that it may import from. */
const LAYERS: Record<string, readonly string[]> = {
  ledger: [],
  copy: ["ledger", "wire"],
  wire: ["ledger", "access"],
  catalog: ["ledger"],
  access: ["ledger"],
  enterprise: ["ledger", "copy", "wire", "catalog", "access"],
  operations: ["ledger", "copy", "wire", "catalog", "access", "enterprise"],
  api: ["ledger", "copy", "wire", "catalog", "access", "enterprise", "operations"],
  pages: ["ledger", "copy", "wire", "catalog", "access", "enterprise", "operations"],
  browser: ["ledger", "wire", "pages"],
  client: [],
};
const PACKAGE_ENTRY = /^packages\/client\/src\/(fuelgauge|ai-sdk|anthropic|bedrock|google|openai|socket)\.ts$/;

/** Files whose exports are used from outside the project: by the platform, by a tool, or by those who install the client. */
const ENTRIES = [
  /^src\/worker\.ts$/,
  /^src\/copy\/schema\.ts$/,
  /^src\/browser\/[a-z-]+\.(d\.)?ts$/,
  PACKAGE_ENTRY,
  /^tools\/workerd\/worker\.js$/,
  /^test\/browser\/unpack-chromium\.ts$/,
  /^test\/support\/bundle-folder\.ts$/,
  /^test\/support\/memory-folder\.ts$/,
  /^test\/client\/consumer\//,
];

/**
 * Words that a reader has to decipher, each with what to write instead. Names in code count too.
 * This file and the glossary list such words, so they are not checked.
 */
const BANNED_WORDS: readonly (readonly [RegExp, string])[] = [
  [/\bmend(s|ed|ing)?\b/i, "fix, correct"],
  [/\banew\b/i, "again"],
  [/\bof (its|their|his|her|our|your) own\b/i, "its own x, a separate x"],
  [/\bst(and|ands|ood) (in|at|there)\b/i, "is in, is at, exists"],
  [/(?<!\bthere )\bis no (JSON|number|date|address|valid|decimal)\b/i, "is not valid JSON, is not a number"],
  [/\bever after\b/i, "from then on"],
  [/\bso it is[.,;:]/i, "leave it out, or give the reason"],
  [/\bin good order\b/i, "cleanly, normally"],
  [/\bcomes? to no end\b/i, "never ends"],
  [/\bturn(s|ed|ing)? away\b|TurnedAway/i, "refuse"],
  [/\bseldom\b/i, "rarely"],
  [/\bthereof\b/i, "of it"],
  [/\bwish(es|ed)?\b|wishOf/i, "choice, request, wanted"],
  [/\bbring(s|ing)?\b(?! (its|your) own)|bring[A-Z]/, "load, carry, cause"],
  [/\bupkeep\b/i, "maintenance"],
  [/\basides\b/i, "dialogs"],
  [/\b(told|tells)\b/i, "notified; shows, reports, logs"],
  [/\b(MOST|LEAST|LONGEST|SHORTEST)_/, "MAX_, MIN_"],
  [/\bisPassing\b/, "isTransient"],
  [/\bnothingToSay\b/, "requireEmptyBody"],
];

/** Files that have to quote a banned word; the schema renames a column that a release has called so. */
const WORDS_ARE_QUOTED = ["test/tidy.test.ts", "docs/glossary.md", "src/enterprise/books/schema.ts"];

const source = ["src", "packages"].flatMap(listFiles).filter((file) => /\.tsx?$/.test(file));
const imports = source.flatMap(importsOf).filter(({ to }) => !to.startsWith("dist/"));
const code = ["src", "packages", "tools", "test"]
  .flatMap(listFiles)
  .filter((file) => /\.(tsx?|mjs|js|css)$/.test(file));
const prose = [
  ...code,
  ...["packages", "tools", "docs"].flatMap(listFiles).filter((file) => /\.(md|txt|sql|html)$/.test(file)),
  "README.md",
];

function layerOf(file: string): string {
  return file.split("/").length > 2 ? (file.split("/")[1] as string) : "";
}

/** The folders of the tree in a document: one per line, "name/" indented by two spaces per level, then what it is. */
function foldersShown(text: string): Set<string> {
  const tree = /^```\n(src\/.*?)^```/ms.exec(text)?.[1] ?? "";
  const parts: string[] = [];
  const folders = tree
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [, indent = "", name = ""] = /^( *)([\w.-]+)\/ {2,}\S/.exec(line) ?? [];
      expect(name, `not a folder with its description: "${line}"`).not.toBe("");
      parts.splice(indent.length / 2, parts.length, name);
      return parts.join("/");
    });
  return new Set(folders);
}

it("lets imports point inward only", () => {
  const wrong = imports.filter(({ from, to }) => {
    const [layer, target] = [layerOf(from), layerOf(to)];
    if (layer === "" || layer === target) return false;
    return LAYERS[layer]?.includes(target) !== true;
  });
  expect(wrong).toEqual([]);
});

it("gives the browser's code nothing of the Worker but types", () => {
  const browser = source.filter((file) => layerOf(file) === "browser");
  const wrong = browser.filter((file) =>
    /^import (?!type )[^;]*?from "(?:\.\.\/)+(?:ledger|wire|pages)\//m.test(read(file)),
  );
  expect(wrong).toEqual([]);
});

it("lets a screen import the kit, and never another screen", () => {
  const roomOf = (file: string) => /^src\/pages\/([a-z-]+)\//.exec(file)?.[1];
  const wrong = imports.filter(({ from, to }) => {
    const [room, target] = [roomOf(from), roomOf(to)];
    return room !== undefined && target !== undefined && target !== room && target !== "kit";
  });
  expect(wrong).toEqual([]);
});

it("shows every folder in docs/architecture.md, and no other", () => {
  const shown = foldersShown(read("docs/architecture.md"));
  const folders = ["src", "packages", "tools", "test"].flatMap(listFiles).map((file) => dirname(file));
  const existing = new Set(
    folders.flatMap((folder) => folder.split("/").map((_, i, parts) => parts.slice(0, i + 1).join("/"))),
  );
  // Tools and tests are shown by their first level only.
  const missing = [...existing].filter((folder) => !shown.has(folder) && !/^(tools|test)\/.+\//.test(folder));
  expect(missing, "add these folders to the tree in docs/architecture.md").toEqual([]);
  const gone = [...shown].filter((folder) => !existing.has(folder) && listFiles(folder).length === 0);
  expect(gone, "remove these folders from the tree in docs/architecture.md").toEqual([]);
});

it("has no import cycle, not even of types", () => {
  const cycles = importCycles(code.flatMap(importsOf)).map((cycle) => cycle.join(" → "));
  expect(cycles).toEqual([]);
});

it("reads the deployment's secrets in one file only", () => {
  const direct = /[.[]\s*["'`]?(OPERATOR_KEY|SIGNING_SECRET)\b|\{[^}]*\b(OPERATOR_KEY|SIGNING_SECRET)\b[^}]*\} = /;
  expect(source.filter((file) => file !== "src/access/secrets.ts" && direct.test(read(file)))).toEqual([]);
});

it("keeps clock, randomness, waiting and I/O out of the ledger", () => {
  const banned = /Date\.now|new Date\(\)|Math\.random|crypto\.|\bawait\b|\basync\b|\bfetch\(|setTimeout|console\./;
  const wrong = source.filter((file) => layerOf(file) === "ledger" && banned.test(read(file)));
  expect(wrong).toEqual([]);
});

it("keeps ISO dates and the names of JSON members out of the ledger", () => {
  const wrong = source.filter((file) => {
    if (layerOf(file) !== "ledger") return false;
    const text = read(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    // Stable codes, such as usage_90, are values of the ledger.
    const codes = [...text.matchAll(/"([^"]*)"/g)].map(([, code]) => code);
    const names = text.replaceAll(/"[^"]*"/g, "").match(/\b[a-z]+(?:_[a-z0-9]+)+\b/g) ?? [];
    return /toISOString|Date\.parse|new Date\(/.test(text) || names.some((name) => !codes.includes(name));
  });
  expect(wrong).toEqual([]);
});

it("has no source file that no other one imports", () => {
  const used = new Set(imports.map(({ to }) => to));
  const dead = source.filter((file) => !used.has(file) && !ENTRIES.some((entry) => entry.test(file)));
  expect(dead).toEqual([]);
});

it("exports only what another file imports", () => {
  const used = new Set(
    code.flatMap(importsOf).flatMap(({ to, names }) => (names ?? exportsOf(to)).map((name) => `${to}: ${name}`)),
  );
  const checked = code.filter((file) => !ENTRIES.some((entry) => entry.test(file)));
  const dead = checked.flatMap((file) => exportsOf(file).map((name) => `${file}: ${name}`));
  expect(dead.filter((name) => !used.has(name))).toEqual([]);
});

it("keeps docs/errors.md in step with the catalogue (rewrite it with: npm test -- test/tidy.test.ts -u)", async () => {
  const statuses = Object.values(PROBLEMS).map(({ status }) => status);
  expect(statuses).toEqual(statuses.toSorted((a, b) => a - b));
  await expect(renderErrorsPage()).toMatchFileSnapshot("../docs/errors.md");
});

it("says at the head of every source file what it is", () => {
  const bare = source.filter((file) => headerOf(file) === "" && layerOf(file) !== "");
  expect(bare).toEqual([]);
});

it("keeps source files short enough to be one idea, and explains every long file", () => {
  expect(source.filter((file) => lineCount(file) > 400)).toEqual([]);
  const unexplained = code.filter((file) => lineCount(file) > 300 && !/\blong\b/i.test(headerOf(file)));
  expect(unexplained, 'say in the header why, as in "This file is long because …", or split the file').toEqual([]);
});

it("gives everything that a test waits for at least a minute, because a machine may be slow", () => {
  const short = code.flatMap((file) =>
    [...read(file).matchAll(/\btimeout: ([\d_]+)|\bvi\.wait(?:For|Until)\(/g)]
      .filter(([, ms]) => ms === undefined || (ms !== "0" && Number(ms.replaceAll("_", "")) < 60_000))
      .map(([found]) => `${file}: ${found}`),
  );
  const tests = short.filter((place) => place.startsWith("test/") && !place.startsWith("test/tidy.test.ts"));
  expect(tests, "expect.poll has a generous limit (vitest.config.ts), which vi.waitFor has not").toEqual([]);
});

it("uses none of the banned words", () => {
  const found = prose
    .filter((file) => !WORDS_ARE_QUOTED.includes(file))
    .flatMap((file) =>
      read(file)
        .split("\n")
        .map((line, index) => ({ place: `${file}:${index + 1}`, line })),
    )
    .flatMap(({ place, line }) => {
      const words = BANNED_WORDS.filter(([word]) => word.test(line));
      return words.map(([word, better]) => `${place}: "${word.exec(line)?.[0]}" (better: ${better})`);
    });
  expect(found).toEqual([]);
});

it("names no machine, and leaves nothing unfinished", () => {
  const words = new RegExp(
    ["TO" + "DO", "FIX" + "ME", "not " + "implemented", "/wo" + "rk/", "\\.\\./sha" + "red"].join("|"),
  );
  expect(prose.filter((file) => words.test(read(file)))).toEqual([]);
});

it("loads nothing from another host in what it serves", () => {
  const served = ["public", "src/browser", "src/styles"].flatMap(listFiles);
  const foreign = served.filter((file) => /(?:src|href|url|import)\s*[=(]\s*["']?https?:/.test(read(file)));
  expect(foreign).toEqual([]);
});

it("separates the text of a screen from what follows on the next line", () => {
  // JSX drops a line break between text and a tag or a value. Text that needs a space there says {" "}.
  const joined = /^\s+([A-Za-z][A-Za-z' ,.;:()-]*[A-Za-z,:;.])\n\s+(\{[a-zA-Z]|<(a|b|strong|code|bdi|time|em)[ >])/gm;
  const screens = source.filter((file) => file.endsWith(".tsx"));
  const found = screens.flatMap((file) => [...read(file).matchAll(joined)].map(([, text]) => `${file}: ${text}`));
  expect(found).toEqual([]);
});
