// What browsers load, as tools/build-assets.mjs makes it: names, sizes, and what must not be in it.
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildAssets } from "../../tools/build-assets.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const KILOBYTE = 1_000;

let directory = "";
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "fuelgauge-assets-"));
  await buildAssets(directory);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Every built file by its path. */
function filesOf(built: string): Map<string, Buffer> {
  const paths = readdirSync(built, { recursive: true, encoding: "utf8" }).sort();
  const files = paths.filter((path) => statSync(join(built, path)).isFile());
  return new Map(files.map((path) => [path, readFileSync(join(built, path))]));
}

/** The paths of the built scripts and stylesheets, those for pages first. */
const code = () => [...filesOf(join(directory, "public")).keys()].filter((path) => /\.(js|css)$/.test(path));

const read = (path: string) => readFileSync(join(directory, "public", path));

describe("the build", () => {
  it("gives the same names and contents every time", async () => {
    const other = mkdtempSync(join(tmpdir(), "fuelgauge-assets-"));
    await buildAssets(other);
    expect(filesOf(other)).toEqual(filesOf(directory));
    rmSync(other, { recursive: true });
  });

  it("names each file that may be cached for ever by a hash of its content", () => {
    const names = code().filter((path) => path.startsWith("assets/"));
    expect(names.map((path) => path.replace(/-[0-9a-f]{12}\./, "."))).toEqual(
      ["app.css", "chart.js", "htmx.js", "page.js", "usage.js"].map((name) => `assets/${name}`),
    );
    for (const name of names) {
      const hash = createHash("sha256").update(read(name)).digest("hex").slice(0, 12);
      expect(name).toContain(`-${hash}.`);
    }
  });

  it("lists the files that pages link to, and leaves the chart to the script that loads it", () => {
    const paths: Record<string, string> = JSON.parse(readFileSync(join(directory, "asset-paths.json"), "utf8"));
    expect(Object.keys(paths)).toEqual(["icon.svg", "app.css", "htmx.js", "page.js", "usage.js"]);
    const { "icon.svg": icon, ...linked } = paths;
    expect(icon).toMatch(/^\/assets\/icon-\w{12}\.svg$/);
    const chart = code().find((path) => path.startsWith("assets/chart-"));
    expect(Object.values(linked).map((path) => path.slice(1))).toEqual(
      code().filter((path) => path.startsWith("assets/") && path !== chart),
    );
    expect(read(paths["usage.js"] as string).toString()).toContain(`"/${chart}"`);
  });

  it("keeps the names that other sites and browsers know", () => {
    const names = [...filesOf(join(directory, "public")).keys()].filter((path) => !path.startsWith("assets/"));
    expect(names).toEqual(["_headers", "embed/usage-bar.js"]);
  });

  it("removes the files of earlier builds, and does not touch those that are still right", async () => {
    const before = [...filesOf(directory).keys()].map((path) => statSync(join(directory, path)).mtimeMs);
    writeFileSync(join(directory, "public/assets/page-000000000000.js"), "");
    await buildAssets(directory);
    expect([...filesOf(directory).keys()].map((path) => statSync(join(directory, path)).mtimeMs)).toEqual(before);
  });

  it("leaves no trace of the machine that it ran on, and no source map", () => {
    for (const path of code()) {
      const text = read(path).toString();
      expect(text.includes(ROOT), path).toBe(false);
      expect(text.includes("sourceMappingURL"), path).toBe(false);
    }
  });

  it("keeps the notice of uPlot's licence", () => {
    const chart = code().find((path) => path.startsWith("assets/chart-")) as string;
    expect(read(chart).toString()).toMatch(/^\/\*! https:\/\/github\.com\/leeoniya\/uPlot/);
  });
});

describe("after Brotli", () => {
  const sizeOf = (pattern: RegExp) => {
    const paths = code().filter((path) => pattern.test(path));
    return paths.reduce((sum, path) => sum + brotliCompressSync(read(path)).length, 0) / KILOBYTE;
  };

  it.each([
    ["the stylesheet", 9, /app-.*css$/],
    ["everything that runs before the first interaction", 20, /(htmx|page|usage)-[0-9a-f]+\.js$/],
    ["our part of it", 5, /(page|usage)-[0-9a-f]+\.js$/],
    ["the chart with its library", 22, /chart-.*js$/],
    ["the usage bar", 6, /usage-bar\.js$/],
  ])("%s is at most %i KB", (_, limit, pattern) => {
    const size = sizeOf(pattern);
    expect(size).toBeGreaterThan(0);
    expect(size).toBeLessThanOrEqual(limit);
  });
});
