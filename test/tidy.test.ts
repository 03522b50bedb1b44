/** What the project's conventions are worth: each that can be checked is checked here. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, it } from "vitest";
import { CODES, type Code, statusOf } from "../src/api/codes.ts";
import { BORDER_PROBLEMS } from "../src/api/problem.ts";

const ROOT = resolve(import.meta.dirname, "..");
const LAYERS: Record<string, readonly string[]> = {
  ledger: [],
  copy: ["ledger"],
  wire: ["ledger"],
  catalog: ["ledger"],
  access: ["ledger"],
  enterprise: ["ledger", "copy", "wire", "catalog", "access"],
  operations: ["ledger", "copy", "wire", "catalog", "access", "enterprise"],
  api: ["ledger", "copy", "wire", "catalog", "access", "enterprise", "operations"],
  pages: ["ledger", "copy", "wire", "catalog", "access", "enterprise", "operations"],
  client: [],
};
/** The client shares only types with the Worker. */
const TYPES_ONLY: Record<string, readonly string[]> = { client: ["wire", "api", "ledger"] };

type Import = { from: string; to: string; typeOnly: boolean };

const files = listFiles("src").filter((file) => /\.tsx?$/.test(file));
const imports = files.flatMap(importsOf);

function listFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

function importsOf(file: string): Import[] {
  const statements = read(file).matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+"(\.[^"]+)"/gms);
  return [...statements].map(([, typeOnly, path]) => ({
    from: file,
    to: relative(ROOT, resolve(ROOT, dirname(file), path as string)),
    typeOnly: typeOnly !== undefined,
  }));
}

function layerOf(file: string): string {
  return file.split("/").length > 2 ? (file.split("/")[1] as string) : "";
}

it("lets imports point inward only", () => {
  const wrong = imports.filter(({ from, to, typeOnly }) => {
    const [layer, target] = [layerOf(from), layerOf(to)];
    if (layer === "" || layer === target) return false;
    if (typeOnly && TYPES_ONLY[layer]?.includes(target) === true) return false;
    return LAYERS[layer]?.includes(target) !== true;
  });
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

it("keeps clock, randomness, waiting and I/O out of the ledger", () => {
  const banned = /Date\.now|new Date\(\)|Math\.random|crypto\.|\bawait\b|\basync\b|\bfetch\(|setTimeout|console\./;
  const wrong = files.filter((file) => layerOf(file) === "ledger" && banned.test(read(file)));
  expect(wrong).toEqual([]);
});

it("has no file that nothing uses", () => {
  const used = new Set(imports.map(({ to }) => to));
  const entries = ["src/worker.ts", "src/copy/schema.ts"];
  const dead = files.filter((file) => !used.has(file) && !entries.includes(file) && layerOf(file) !== "client");
  expect(dead).toEqual([]);
});

it("documents every code of refusal, and no other", () => {
  const declared = [...read("src/ledger/refusals.ts").matchAll(/\{ code: "([a-z_]+)"/g)].map(([, code]) => code);
  const codes = [...new Set([...declared, ...Object.keys(BORDER_PROBLEMS)])].sort();
  expect(Object.keys(CODES).sort()).toEqual(codes);
  const rows = read("docs/errors.md").matchAll(/^\| \d{3} \|.*$/gm);
  const wanted = Object.entries(CODES).map(
    ([code, { what, remedy }]) => `| ${statusOf(code as Code)} | \`${code}\` | ${what} | ${remedy} |`,
  );
  expect([...rows].map(([row]) => row).sort()).toEqual(wanted.sort());
});

it("says at the head of every source file what it is", () => {
  const bare = files.filter((file) => !read(file).startsWith("/**") && layerOf(file) !== "");
  expect(bare).toEqual([]);
});

it("keeps source files short enough to be one idea", () => {
  const long = files.map((file) => ({ file, lines: read(file).split("\n").length })).filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});

it("names no machine, and leaves nothing unfinished", () => {
  const all = [...files, ...listFiles("tools"), ...listFiles("test"), ...listFiles("docs"), "README.md"];
  const words = new RegExp(
    ["TO" + "DO", "FIX" + "ME", "not " + "implemented", "/wo" + "rk/", "\\.\\./sha" + "red"].join("|"),
  );
  expect(all.filter((file) => /\.(tsx?|mjs|md|css|js)$/.test(file) && words.test(read(file)))).toEqual([]);
});

it("loads nothing from another host in what it serves", () => {
  const served = listFiles("public").filter((file) => /\.(css|js|html)$/.test(file) && !file.includes("vendor"));
  const foreign = served.filter((file) => /(?:src|href|url|import)\s*[=(]\s*["']?https?:/.test(read(file)));
  expect(foreign).toEqual([]);
});
