/**
 * Checks what the documents refer to: links, headings, files, names in the code, and logged events must exist. The
 * examples in them are run by examples.test.ts.
 */
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { expect, it } from "vitest";
import { ROOT } from "./server.ts";

const documents = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith(".md"),
);

function textOf(document: string): string {
  return readFileSync(join(ROOT, document), "utf8");
}

/** The anchors of a document's headings, as GitHub makes them. */
function anchorsIn(document: string): string[] {
  const prose = textOf(document).replaceAll(/^```.*?^```/gms, "");
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

it("links only to files and headings that exist", () => {
  const broken = documents.flatMap((document) =>
    [...textOf(document).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)]
      .filter(([, path = "", anchor]) => {
        const target = path === "" ? document : normalize(join(dirname(document), path));
        if (!existsSync(join(ROOT, target))) return true;
        return anchor !== undefined && !anchorsIn(target).includes(anchor);
      })
      .map(([link]) => `${document}: ${link}`),
  );
  expect(broken).toEqual([]);
});

it("gives in the README the reason for every dependency, and for no other", () => {
  const { dependencies, devDependencies } = JSON.parse(textOf("package.json"));
  // The previous major version of a provider's SDK has its own name in package.json.
  const used = Object.entries({ ...dependencies, ...devDependencies } as Record<string, string>).filter(
    ([, version]) => !version.startsWith("npm:"),
  );
  const table = /^## Dependencies\n\n.*?\n\n/ms.exec(textOf("README.md"))?.[0] ?? "";
  const explained = [...table.matchAll(/^\| (?!dependency|---)(.*?) \|/gm)].flatMap(([, names = ""]) =>
    names.match(/[\w@/.-]+/g),
  );
  expect(explained.toSorted()).toEqual(used.map(([name]) => name).toSorted());
});

it("names only files and folders that exist", () => {
  const missing = documents.flatMap((document) =>
    [...textOf(document).matchAll(/`((?:src|test|tools|packages|docs|migrations)\/[\w./*-]*)`/g)]
      .filter(([, path = ""]) => globSync(path, { cwd: ROOT }).length === 0)
      .map(([, path]) => `${document}: ${path}`),
  );
  expect(missing).toEqual([]);
});

it("names only source files that exist", () => {
  const existing = new Set(
    globSync("{src,packages,test,tools}/**/*.{ts,tsx}", { cwd: ROOT }).map((file) => basename(file)),
  );
  const missing = documents.flatMap((document) =>
    [...textOf(document).matchAll(/(?<![\w*.-])[\w][\w.-]*\.tsx?\b/g)]
      .filter(([name]) => !existing.has(name))
      .map(([name]) => `${document}: ${name}`),
  );
  expect(missing).toEqual([]);
});

it("explains the architecture with names that the code uses", () => {
  const code = globSync("src/**/*.{ts,tsx}", { cwd: ROOT })
    .map((file) => textOf(file))
    .join("\n");
  const names = [...textOf("docs/architecture.md").matchAll(/`([a-z]+[A-Z]\w*|[A-Z][a-z]\w*)`/g)].map(
    ([, name]) => name,
  );
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(code))).toEqual([]);
});

it("explains every event that is logged, and no other", () => {
  const code = globSync("src/**/*.{ts,tsx}", { cwd: ROOT })
    .map((file) => textOf(file))
    .join("\n");
  const logged = [...code.matchAll(/\bevent: "(\w+)"/g)].map(([, name]) => name);
  const audits = ["audit_drift", "audit_failed", "audit_unreadable"];
  const table = /^\| `event` .*?\n\n/ms.exec(textOf("docs/runbook.md"))?.[0] ?? "";
  const explained = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, names = ""]) => names.match(/\w+/g) ?? []);
  expect(explained.filter((name) => name !== "event").sort()).toEqual([...new Set([...logged, ...audits])].sort());
});
