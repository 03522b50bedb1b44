// Runs before anything is installed: plain JavaScript for Node 20 or newer, without dependencies.
// Runs `npm ci` if node_modules does not match package-lock.json, and finds the Node for the other tools. That is the
// `node` package of the devDependencies, because wrangler and vitest need a newer Node than the machine may have.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { reportFailure, StepFailed } from "./kit/failures.mjs";
import { whenNpmIsGone } from "./npm-parent.mjs";

/** The project's root directory. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** The script that runs wrangler. */
export const WRANGLER = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");

/**
 * Describes the first difference between the installed packages and the lock file; null if there is none.
 * Compares names, versions and integrity, because timestamps prove nothing. Packages that the lock file marks as
 * optional may be missing: they are for other platforms.
 * @typedef {{version?: string, integrity?: string, optional?: boolean}} Locked
 * @param {Record<string, Locked>} locked @param {Record<string, Locked>} installed
 * @returns {string | null}
 */
export function installDifference(locked, installed) {
  for (const [path, expected] of Object.entries(locked)) {
    const found = installed[path];
    if (path === "" || (!found && expected.optional)) continue;
    if (!found) return `${path} is missing`;
    if (found.version !== expected.version) return `${path} is ${found.version}, not ${expected.version}`;
    if (found.integrity !== expected.integrity) return `${path} has different content`;
  }
  const extra = Object.keys(installed).find((path) => !(path in locked));
  return extra ? `${extra} is not in package-lock.json` : null;
}

/**
 * Runs `npm ci` if node_modules is missing or does not match package-lock.json.
 * @param {(line: string) => void} log
 */
export function ensureInstalled(log) {
  const reason = reasonToInstall();
  if (!reason) return;
  log(`Installing packages with "npm ci", because ${reason} …`);
  const result = spawnSync("npm", ["ci", "--include=dev", "--no-audit", "--no-fund"], {
    cwd: ROOT,
    env: installEnvironment(),
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === "win32",
  });
  if (result.error) throw new StepFailed("Installing packages", `npm could not be started (${result.error.message})`);
  if (result.status !== 0) {
    throw new StepFailed(
      "Installing packages",
      `npm ci ended with ${result.status ?? result.signal}`,
      result.stdout + result.stderr,
    );
  }
}

/** @returns {string | null} the end of a sentence; null if everything is installed */
function reasonToInstall() {
  const installed = join(ROOT, "node_modules", ".package-lock.json");
  if (!existsSync(installed)) return "there is no node_modules";
  try {
    return installDifference(packagesOf(join(ROOT, "package-lock.json")), packagesOf(installed));
  } catch (error) {
    return `the lock files cannot be compared (${error instanceof Error ? error.message : error})`;
  }
}

/** @param {string} lockFile @returns {Record<string, Locked>} */
function packagesOf(lockFile) {
  return JSON.parse(readFileSync(lockFile, "utf8")).packages;
}

/**
 * The environment for `npm ci`, without what an npm that runs this script adds: PATH entries below ROOT, because npm
 * must not run on a Node that it is about to replace, and options such as the `-w` of `npm pack -w`, which would
 * install one workspace only.
 */
function installEnvironment() {
  const entries = (process.env.PATH ?? "").split(delimiter);
  const PATH = entries.filter((entry) => !`${resolve(entry)}${sep}`.startsWith(ROOT + sep)).join(delimiter);
  const options = /^npm_config_(workspaces?|include_workspace_root|dry_run)$/i;
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !options.test(name))), PATH };
}

/** The Node for the tools: the one in node_modules, or else this one if it is new enough. */
export function localNode() {
  const inPackage = join(ROOT, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (spawnSync(inPackage, ["--version"]).status === 0) return inPackage;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  throw new StepFailed(
    "Finding Node 24",
    `node_modules/node/bin/node does not run, and this Node is version ${process.versions.node}; ` +
      "delete node_modules and allow npm's install scripts, or use Node 24",
  );
}

/**
 * Installs what is missing, runs a script on the local Node in this terminal, and exits with its exit code.
 * @param {string[]} args the script and its arguments
 */
export function runAndExit(args) {
  try {
    ensureInstalled((line) => console.error(line));
    const path = join(ROOT, "node_modules", ".bin") + delimiter + (process.env.PATH ?? "");
    const child = spawn(localNode(), args, { stdio: "inherit", env: { ...process.env, PATH: path } });
    // A terminal sends Ctrl-C to the child too. Without a terminal only this process gets the signal: forward it.
    process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
    for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP"])) process.on(signal, () => child.kill(signal));
    whenNpmIsGone(() => child.kill("SIGTERM"));
    child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
  } catch (error) {
    reportFailure(error);
  }
}
