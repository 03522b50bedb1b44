// The client runs wherever `fetch` exists, so it imports only its own files and uses no global of a single runtime.

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";

const FOLDER = resolve(import.meta.dirname, "../../packages/client/src");
const files = readdirSync(FOLDER).filter((file) => file.endsWith(".ts"));
const read = (file: string) => readFileSync(join(FOLDER, file), "utf8");

it("imports nothing but its own files", () => {
  const imports = files.flatMap((file) =>
    [...read(file).matchAll(/(?:from|import)\s*\(?"([^"]+)"/g)].map(([, to]) => to),
  );
  expect(imports.length).toBeGreaterThan(20);
  expect(imports.filter((to) => !/^\.\/[a-z-]+\.ts$/.test(to as string))).toEqual([]);
});

it("uses no global of a single runtime", () => {
  const code = files.map((file) => read(file).replaceAll(/\/\*.*?\*\/|\/\/.*$/gms, "")).join("\n");
  expect(
    code.match(/\b(process|Buffer|require|setImmediate|Deno|Bun|window|document|navigator|localStorage)\b[.(]/g),
  ).toBeNull();
});

it.each([
  ["fuelgauge", 8_500],
  ["anthropic", 2_400],
  ["openai", 4_700],
  ["google", 3_000],
  ["ai-sdk", 7_600],
  ["bedrock", 2_400],
  ["socket", 1_300],
])("is as small as docs/client.md says: %s has at most %d bytes compressed", async (name, bytes) => {
  const entryPoints = [fileURLToPath(new URL(`../../packages/client/src/${name}.ts`, import.meta.url))];
  const { outputFiles } = await build({ entryPoints, bundle: true, minify: true, format: "esm", write: false });
  expect(gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length).toBeLessThanOrEqual(bytes);
});
