// The client runs wherever there is `fetch`: it imports nothing but itself and names nothing that one runtime alone has.
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const FOLDER = resolve(import.meta.dirname, "../../src/client");
const files = readdirSync(FOLDER).filter((file) => file.endsWith(".ts"));
const read = (file: string) => readFileSync(join(FOLDER, file), "utf8");

it("imports nothing but its own files", () => {
  const imports = files.flatMap((file) =>
    [...read(file).matchAll(/(?:from|import)\s*\(?"([^"]+)"/g)].map(([, to]) => to),
  );
  expect(imports.length).toBeGreaterThan(20);
  expect(imports.filter((to) => !/^\.\/[a-z-]+\.ts$/.test(to as string))).toEqual([]);
});

it("names no global of a single runtime", () => {
  const code = files.map((file) => read(file).replaceAll(/\/\*.*?\*\/|\/\/.*$/gms, "")).join("\n");
  expect(
    code.match(/\b(process|Buffer|require|setImmediate|Deno|Bun|window|document|navigator|localStorage)\b[.(]/g),
  ).toBeNull();
});
