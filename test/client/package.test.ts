// The package as people install it: the tarball of `npm pack`, installed alone into an empty folder, then run by Node
// 20 and 24 as ES modules and as CommonJS, bundled for a browser, and type-checked with two majors of each SDK.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { createContext, runInContext } from "node:vm";
import { build, transformSync } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const PACKAGE = join(ROOT, "packages/client");
const CONSUMER = join(import.meta.dirname, "consumer");
const NODE = process.platform === "win32" ? "node.exe" : "node";
const ENTRIES = ["fuelgauge", "ai-sdk", "anthropic", "bedrock", "google", "openai", "socket"];

/** Each SDK, and the alias under which its previous major is installed. */
const PREVIOUS_MAJOR = {
  "@anthropic-ai/sdk": "anthropic-sdk-0",
  "@google/genai": "google-genai-2",
  ai: "ai-6",
  openai: "openai-6",
};

const folder = mkdtempSync(join(tmpdir(), "fuelgauge-package-"));
const tarballs = join(folder, "tarballs");
const app = join(folder, "app");
const installed = join(app, "node_modules/@fuelgauge/client");
let tarball = "";

beforeAll(async () => {
  mkdirSync(tarballs);
  mkdirSync(app);
  await run("npm", ["pack", "-w", "@fuelgauge/client", "--pack-destination", tarballs], ROOT);
  tarball = join(tarballs, readdirSync(tarballs)[0] as string);
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], app);
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a program to its end and returns what it printed. Throws if it fails. */
async function run(program: string, args: string[], cwd: string): Promise<string> {
  // An npm that runs these tests passes its own options to its scripts; they are not for the npm that starts here.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
  const child = spawn(program, args, { cwd, env, shell: program === "npm" && process.platform === "win32" });
  let printed = "";
  child.stdout.on("data", (data) => (printed += data));
  child.stderr.on("data", (data) => (printed += data));
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${status}: ${printed}`);
  return printed;
}

function manifestOf(directory: string) {
  return JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
}

describe("the tarball", () => {
  it("contains the built files, README, licence and package.json, and nothing else", () => {
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" }).map((file) =>
      file.replaceAll("\\", "/"),
    );
    const built = files.filter((file) => /^dist\/[a-z-]+\.(js|cjs|d\.ts|d\.cts)$/.test(file));
    expect(files.filter((file) => !built.includes(file)).sort()).toEqual([
      "LICENSE",
      "README.md",
      "dist",
      "package.json",
    ]);
    const kindsOf = (entry: string) => ["js", "cjs", "d.ts", "d.cts"].map((kind) => `dist/${entry}.${kind}`);
    expect(built).toEqual(expect.arrayContaining(ENTRIES.flatMap(kindsOf)));
    expect(readFileSync(join(installed, "LICENSE"), "utf8")).toBe(readFileSync(join(ROOT, "LICENSE"), "utf8"));
  });

  it.each(["README.md", "docs/client.md", "packages/client/README.md"])("has the name that %s gives it", (document) => {
    expect(readFileSync(join(ROOT, document), "utf8")).toContain(`npm install ./${basename(tarball)}`);
  });

  it("is small, and installs no other package", () => {
    expect(statSync(tarball).size).toBeLessThan(95_000);
    expect(readdirSync(join(app, "node_modules")).filter((name) => !name.startsWith("."))).toEqual(["@fuelgauge"]);
    expect(readdirSync(join(app, "node_modules/@fuelgauge"))).toEqual(["client"]);
    const { dependencies, peerDependencies, optionalDependencies } = manifestOf(installed);
    expect([dependencies, peerDependencies, optionalDependencies]).toEqual([undefined, undefined, undefined]);
  });

  it("has no script that npm would run where it is installed", () => {
    const { scripts } = manifestOf(installed);
    expect(Object.keys(scripts).filter((name) => /install|^prepare$|^prepublish$/.test(name))).toEqual([]);
  });
});

describe("the installed package", () => {
  const REPORTED = { delivered: true, charged_micros: 4, stopped: true, models: ["claude", "gpt", "gemini", "any"] };
  const program = join(CONSUMER, "report-a-run.mjs");

  it.each([
    [20, join(PACKAGE, "node_modules/node/bin", NODE)],
    [24, join(ROOT, "node_modules/node/bin", NODE)],
  ])("reports a run under Node %i, as ES modules and as CommonJS", async (major, node) => {
    expect(await run(node, ["--version"], app)).toMatch(new RegExp(`^v${major}\\.`));
    copyFileSync(program, join(app, "program.mjs"));
    const { code } = transformSync(readFileSync(program, "utf8"), { format: "cjs" });
    expect(code).toContain('require("@fuelgauge/client/ai-sdk")');
    writeFileSync(join(app, "program.cjs"), code);
    const printed = await Promise.all(["program.mjs", "program.cjs"].map((file) => run(node, [file], app)));
    expect(printed.map((line) => JSON.parse(line))).toEqual([REPORTED, REPORTED]);
  });

  it("reports a run from a browser's bundle, with nothing but what browsers have", async () => {
    copyFileSync(program, join(app, "bundled.mjs"));
    const { outputFiles, metafile } = await build({
      entryPoints: [join(app, "bundled.mjs")],
      absWorkingDir: app,
      bundle: true,
      platform: "browser",
      format: "iife",
      metafile: true,
      write: false,
    });
    const inputs = Object.keys(metafile.inputs).filter((file) => file !== "bundled.mjs");
    expect(inputs.filter((file) => !/^node_modules\/@fuelgauge\/client\/dist\/[a-z-]+\.js$/.test(file))).toEqual([]);
    const printed = Promise.withResolvers<string>();
    const browser = { setTimeout, clearTimeout, performance, AbortController, console: { log: printed.resolve } };
    runInContext(outputFiles[0]?.text ?? "", createContext(browser));
    expect(JSON.parse(await printed.promise)).toEqual(REPORTED);
  });
});

describe("the types", () => {
  const OPTIONS = { strict: true, noEmit: true, target: "ES2022", lib: ["ES2023", "DOM", "DOM.Iterable"], types: [] };
  const NODE = { types: ["node"], skipLibCheck: true };

  /** A folder with the installed package, both majors of each SDK, and these files. */
  function project(name: string, files: Record<string, string>): string {
    const directory = join(folder, name);
    const link = (target: string, as: string) => {
      const path = join(directory, "node_modules", as);
      mkdirSync(dirname(path), { recursive: true });
      symlinkSync(target, path, "junction");
    };
    link(installed, "@fuelgauge/client");
    const sdks = Object.entries(PREVIOUS_MAJOR).flat();
    for (const sdk of [...sdks, "@types/node"]) link(join(ROOT, "node_modules", sdk), sdk);
    for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text);
    return directory;
  }

  /** What the compiler reports of a project; "" if it finds no error. */
  async function errorsOf(directory: string, options: object): Promise<string> {
    const tsconfig = { compilerOptions: { ...OPTIONS, ...options }, include: ["*"] };
    writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(tsconfig));
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    return run(process.execPath, [tsc, "-p", "."], directory).catch((error: Error) => error.message);
  }

  /** The programs in consumer/ that use these entries, for the current and the previous major of each SDK. */
  function consumers(entries: string[], extension: string): Record<string, string> {
    const files = entries.flatMap((entry) => {
      const text = readFileSync(join(CONSUMER, `${entry}.ts`), "utf8");
      const previous = Object.entries(PREVIOUS_MAJOR).reduce(
        (code, [sdk, alias]) => code.replace(`from "${sdk}"`, `from "${alias}"`),
        text,
      );
      return [
        [`${entry}.${extension}`, text],
        [`${entry}-previous.${extension}`, previous],
      ];
    });
    return Object.fromEntries(files);
  }

  const ALL = ["client", "anthropic", "openai", "google", "ai-sdk"];

  it.each(Object.entries(PREVIOUS_MAJOR))("are checked with the last two majors of %s", (sdk, alias) => {
    const [current, previous] = [sdk, alias].map((name) => manifestOf(join(ROOT, "node_modules", name)));
    expect([current.name, previous.name]).toEqual([sdk, sdk]);
    const [major, majorBefore] = [current, previous].map(({ version }) => Number.parseInt(version, 10));
    expect(majorBefore).toBe(Number(major) - 1);
    expect(readFileSync(join(installed, "README.md"), "utf8")).toContain(`\`${sdk}\` ${major} and ${majorBefore}`);
  });

  it("fit both majors of each SDK in ES modules and CommonJS of Node", async () => {
    // Google's SDK and ai 7 are ES modules only, so a CommonJS file cannot import them statically.
    const files = { ...consumers(ALL, "mts"), ...consumers(["client", "anthropic", "openai"], "cts") };
    const directory = project("node16", files);
    expect(await errorsOf(directory, { ...NODE, module: "node16", moduleResolution: "node16" })).toBe("");
  });

  it("fit both majors of each SDK for a bundler, with exact optional properties too", async () => {
    const directory = project("bundler", consumers(ALL, "ts"));
    const options = { ...NODE, module: "preserve", moduleResolution: "bundler", exactOptionalPropertyTypes: true };
    expect(await errorsOf(directory, options)).toBe("");
  });

  it("need neither an SDK nor types of Node, and are free of errors themselves", async () => {
    const names = ENTRIES.map((entry) => (entry === "fuelgauge" ? "@fuelgauge/client" : `@fuelgauge/client/${entry}`));
    const text = names.map((name, i) => `export * as entry${i} from "${name}";\n`).join("");
    const directory = project("alone", { "all.mts": text, "all.cts": text });
    expect(await errorsOf(directory, { module: "node16", moduleResolution: "node16" })).toBe("");
  });

  it("refuse a stream of another provider", async () => {
    const code = readFileSync(join(CONSUMER, "openai.ts"), "utf8").replace("client/openai", "client/google");
    const directory = project("wrong", { "wrong.mts": code });
    expect(await errorsOf(directory, { ...NODE, module: "node16", moduleResolution: "node16" })).toMatch(/TS2345/);
  });
});
