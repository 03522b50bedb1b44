// Builds dist/, which is what the package ships: ES modules and their types by tsc, and a CommonJS version of each.
// npm runs it during `npm ci`, when everything is installed, and before `npm pack`, when it installs what is missing.
// Files whose content stays the same are not written, because several tests may build and read dist/ at once.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ensureInstalled } from "../../tools/install.mjs";
import { reportFailure, StepFailed } from "../../tools/kit/failures.mjs";

const PACKAGE = dirname(fileURLToPath(import.meta.url));
const DIST = join(PACKAGE, "dist");

try {
  if (process.env.npm_lifecycle_event !== "prepare") ensureInstalled((line) => console.error(line));
  await build();
} catch (error) {
  reportFailure(error);
}

async function build() {
  const { transformSync } = await import("esbuild");
  const scratch = mkdtempSync(join(PACKAGE, ".build-"));
  try {
    compile(scratch);
    const toCommonJs = (/** @type {string} */ code) => transformSync(code, { format: "cjs", target: "es2022" }).code;
    replaceDist(shippedFiles(scratch, toCommonJs), scratch);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** @param {string} folder where tsc writes the modules and their declarations */
function compile(folder) {
  const typescript = createRequire(import.meta.url).resolve("typescript/package.json");
  const tsc = join(dirname(typescript), "bin", "tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", PACKAGE, "--outDir", folder], { stdio: "inherit" });
  if (status !== 0) throw new StepFailed("Building the client", "tsc found errors");
}

/**
 * The content of each file of dist/, by name.
 * @param {string} folder what tsc wrote @param {(code: string) => string} toCommonJs @returns {Map<string, string>}
 */
function shippedFiles(folder, toCommonJs) {
  const files = new Map();
  for (const file of readdirSync(folder)) {
    const code = readFileSync(join(folder, file), "utf8");
    if (file.endsWith(".d.ts")) {
      // tsc leaves the extension .ts in the imports of declarations.
      files.set(file, withExtension(code, "js"));
      files.set(file.replace(/\.ts$/, ".cts"), withExtension(code, "cjs"));
    } else if (/^export (?!\{\};)/m.test(code)) {
      files.set(file, code);
      files.set(file.replace(/\.js$/, ".cjs"), withExtension(toCommonJs(code), "cjs"));
    }
    // What is left exports types only, and nothing imports it at run time.
  }
  return files;
}

/**
 * Gives the imports of neighbouring files another extension.
 * @param {string} code @param {string} extension
 */
function withExtension(code, extension) {
  return code.replaceAll(/((?:from |import\(|require\()"\.\/[a-z-]+)\.(?:ts|js)"/g, `$1.${extension}"`);
}

/** @param {Map<string, string>} files @param {string} scratch a folder on the same disk */
function replaceDist(files, scratch) {
  mkdirSync(DIST, { recursive: true });
  for (const file of readdirSync(DIST)) if (!files.has(file)) rmSync(join(DIST, file), { force: true });
  for (const [file, content] of files) {
    const path = join(DIST, file);
    if (existsSync(path) && readFileSync(path, "utf8") === content) continue;
    // Renaming is one step, so nobody reads half a file.
    writeFileSync(join(scratch, file), content);
    renameSync(join(scratch, file), path);
  }
}
