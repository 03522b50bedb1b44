// What has to work before anything is installed: plain JavaScript, no dependency, Node 20 or later.
// Decides whether node_modules is what package-lock.json says, installs it if not, and finds the Node that the
// other tools run on: the `node` package of the devDependencies, because wrangler and vitest need a newer one
// than machines may have.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { whenNpmIsGone } from "./npm-parent.mjs";

/** The project's root directory. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Failure of a named step, with the output of the command that failed, if there was one. */
export class StepFailed extends Error {
  /** @param {string} step @param {string} detail @param {string} [output] */
  constructor(step, detail, output = "") {
    super(`${step} failed: ${detail}`);
    this.output = output.trim();
  }
}

/**
 * The first way in which what is installed differs from the lock file, or null.
 * Compares names, versions and integrity, so that the age of the files does not matter; packages that the lock
 * calls optional may be absent (they are for other platforms).
 * @typedef {{version?: string, integrity?: string, optional?: boolean}} Locked
 * @param {Record<string, Locked>} locked @param {Record<string, Locked>} installed
 * @returns {string | null}
 */
export function installDifference(locked, installed) {
  for (const [path, wanted] of Object.entries(locked)) {
    const found = installed[path];
    if (path === "" || (!found && wanted.optional)) continue;
    if (!found) return `${path} is missing`;
    if (found.version !== wanted.version) return `${path} is ${found.version}, not ${wanted.version}`;
    if (found.integrity !== wanted.integrity) return `${path} has another content`;
  }
  const extra = Object.keys(installed).find((path) => !(path in locked));
  return extra ? `${extra} is not in package-lock.json` : null;
}

/**
 * Runs `npm ci` when node_modules is missing or is not what package-lock.json says.
 * @param {(line: string) => void} say
 */
export function ensureInstalled(say) {
  const reason = whyInstall();
  if (!reason) return;
  say(`Installing the packages (npm ci), because ${reason} …`);
  const done = spawnSync("npm", ["ci", "--include=dev", "--no-audit", "--no-fund"], {
    cwd: ROOT,
    env: environmentOfInstall(),
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === "win32",
  });
  if (done.error) throw new StepFailed("Installing the packages", `npm could not be started (${done.error.message})`);
  if (done.status !== 0) {
    throw new StepFailed(
      "Installing the packages",
      `npm ci ended with ${done.status ?? done.signal}`,
      done.stdout + done.stderr,
    );
  }
}

/** @returns {string | null} the reason for an install, as the end of a sentence */
function whyInstall() {
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
 * The environment for `npm ci`, without two things that an npm which runs this script adds to its own: PATH entries
 * below ROOT (npm must not run on a Node that it is about to replace), and options such as the `-w` of `npm pack -w`,
 * which would install one workspace only.
 */
function environmentOfInstall() {
  const entries = (process.env.PATH ?? "").split(delimiter);
  const PATH = entries.filter((entry) => !`${resolve(entry)}${sep}`.startsWith(ROOT + sep)).join(delimiter);
  const options = /^npm_config_(workspaces?|include_workspace_root|dry_run)$/i;
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !options.test(name))), PATH };
}

/** The Node that runs the tools: the one in node_modules, else this one if it is new enough. */
export function localNode() {
  const inPackage = join(ROOT, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (spawnSync(inPackage, ["--version"]).status === 0) return inPackage;
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  throw new StepFailed(
    "Finding a Node",
    `node_modules/node/bin/node does not run and this Node is ${process.versions.node}; ` +
      "delete node_modules and start again with install scripts allowed, or use Node 24",
  );
}

/**
 * Installs what is missing, runs a script on the local Node with this terminal, and ends as it ends.
 * @param {string[]} args script and arguments
 */
export function runAndExit(args) {
  try {
    ensureInstalled((line) => console.error(line));
    const path = join(ROOT, "node_modules", ".bin") + delimiter + (process.env.PATH ?? "");
    const child = spawn(localNode(), args, { stdio: "inherit", env: { ...process.env, PATH: path } });
    // A terminal sends Ctrl-C to the child as well; without one, what comes to this process alone is handed on.
    process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
    for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP"])) process.on(signal, () => child.kill(signal));
    whenNpmIsGone(() => child.kill("SIGTERM"));
    child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
  } catch (error) {
    reportFailure(error);
  }
}

/** Says what failed; the process ends with 1 when nothing is left to do. @param {unknown} error */
export function reportFailure(error) {
  process.exitCode = 1;
  if (!(error instanceof StepFailed)) return console.error(error);
  if (error.output) console.error(error.output);
  console.error(`\n${error.message}.`);
}
