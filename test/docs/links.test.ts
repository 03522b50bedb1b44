/** Checks what the documents refer to: each link leads to a file and a heading that exist, and so does each path. */
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
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

it("names only files and folders that exist", () => {
  const missing = documents.flatMap((document) =>
    [...textOf(document).matchAll(/`((?:src|test|tools|packages|docs|migrations)\/[\w./*-]*)`/g)]
      .filter(([, path = ""]) => globSync(path, { cwd: ROOT }).length === 0)
      .map(([, path]) => `${document}: ${path}`),
  );
  expect(missing).toEqual([]);
});
