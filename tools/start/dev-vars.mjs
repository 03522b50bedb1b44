// The local secrets in `.dev.vars`: made once from random bytes, readable by the user only, never overwritten.
// A secret in the environment wins over the file for this start. It reaches the Worker through a second private file,
// which wrangler reads after the first: every user of the machine could read it on a command line.
// wrangler parses that second file with dotenv and dotenv-expand, so values are quoted for both.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { StepFailed } from "../kit/failures.mjs";

/** The Worker does not start without these secrets. */
export const SECRET_NAMES = /** @type {const} */ (["OPERATOR_KEY", "SIGNING_SECRET"]);
/** What `npm start` passes on from the environment when it is set there, besides the secrets. */
export const PASSED_ON_NAMES = /** @type {const} */ ([
  "OPERATOR_KEY_PREVIOUS",
  "SIGNING_SECRET_PREVIOUS",
  "UPGRADE_URL",
  "REFERRAL_URL",
  "UNPRICED_USAGE",
  "METRICS_ENTERPRISES",
]);
const OPTIONAL_SECRET_NAMES = PASSED_ON_NAMES.filter((name) => name.endsWith("_PREVIOUS"));
/** The Worker answers 503 `misconfigured` to everything while a secret is shorter (src/access/secrets.ts). */
const MIN_SECRET_LENGTH = 32;

const HEADER = "# Local secrets, made by npm start. Do not use them in production: set Worker secrets there.\n";

/**
 * Adds the missing secrets to the file, from the environment or from 32 random bytes, and sets its mode to 0600.
 * @param {string} path
 * @param {Record<string, string | undefined>} environment
 * @returns {Record<string, string>} every secret as the Worker gets it: the environment wins over the file
 * @throws {StepFailed} for a secret that is too short, before anything is written
 */
export function ensureSecrets(path, environment) {
  const text = existsSync(path) ? readFileSync(path, "utf8") : HEADER;
  const present = parseDevVars(text);
  for (const name of [...SECRET_NAMES, ...OPTIONAL_SECRET_NAMES])
    requireStrong(name, environment[name] || present[name], environment[name]);
  const missing = SECRET_NAMES.filter((name) => !present[name]);
  const made = Object.fromEntries(
    missing.map((name) => [name, environment[name] || randomBytes(32).toString("base64url")]),
  );
  if (missing.length > 0) {
    const lines = missing.map((name) => `${name}=${quote(name, made[name] ?? "")}\n`).join("");
    const separator = text === "" || text.endsWith("\n") ? "" : "\n";
    writeFileSync(path, text + separator + lines, { mode: 0o600 });
  }
  chmodSync(path, 0o600);
  return Object.fromEntries(SECRET_NAMES.map((name) => [name, environment[name] || present[name] || made[name] || ""]));
}

/**
 * Writes what comes from the environment to a private file for `wrangler dev --env-file`.
 * @param {string} path
 * @param {Record<string, string | undefined>} environment
 * @returns {(() => void) | null} a function that removes the file; null if the environment has none of it
 */
export function writeOverrides(path, environment) {
  const lines = [...SECRET_NAMES, ...PASSED_ON_NAMES]
    .filter((name) => environment[name])
    .map(
      // dotenv-expand replaces $NAME even inside quotes, and reads \$ as a dollar sign.
      (name) => `${name}=${quote(name, (environment[name] ?? "").replaceAll("$", "\\$"))}\n`,
    );
  if (lines.length === 0) return null;
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  writeFileSync(path, lines.join(""), { mode: 0o600 });
  return () => rmSync(path, { force: true });
}

/**
 * Writes a copy of wrangler.toml that also names the optional values that are set. wrangler gives the Worker only those
 * values of its files that the configuration names, and a deployment would demand every name in wrangler.toml.
 * @param {string} path a file in the folder of wrangler.toml, because wrangler reads paths relative to its configuration
 * @param {string} config the text of wrangler.toml
 * @param {string} devVars the file of local secrets
 * @param {Record<string, string | undefined>} environment
 * @returns {(() => void) | null} a function that removes the file; null if no optional value is set
 */
export function writeStartConfig(path, config, devVars, environment) {
  const inFile = existsSync(devVars) ? parseDevVars(readFileSync(devVars, "utf8")) : {};
  const names = PASSED_ON_NAMES.filter((name) => environment[name] || inFile[name]);
  if (names.length === 0) return null;
  const all = JSON.stringify([...SECRET_NAMES, ...names]);
  writeFileSync(path, config.replaceAll(/(?<=\brequired = )\[[^\]]*\]/g, all), { mode: 0o600 });
  return () => rmSync(path, { force: true });
}

/**
 * Reads NAME=value lines like dotenv: with an optional `export`, comments, and any of three kinds of quotes.
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function parseDevVars(text) {
  const line = /^\s*(?:export\s+)?([\w.-]+)\s*=[^\S\n]*('(?:[^'])*'|"(?:\\"|[^"])*"|`[^`]*`|[^#\r\n]*)/gm;
  /** @type {Record<string, string>} */
  const values = {};
  for (const [, name = "", raw = ""] of text.matchAll(line)) {
    const value = raw.trim();
    const quoted = /^(['"`])([\s\S]*)\1$/.exec(value);
    const inner = quoted?.[2] ?? value;
    values[name] = quoted?.[1] === '"' ? inner.replaceAll("\\n", "\n").replaceAll("\\r", "\r") : inner;
  }
  return values;
}

/** @param {string} name @param {string | undefined} value @param {string | undefined} fromEnvironment */
function requireStrong(name, value, fromEnvironment) {
  if (!value || value.length >= MIN_SECRET_LENGTH) return;
  const place = fromEnvironment ? "in the environment" : "in .dev.vars";
  throw new StepFailed(
    "Reading the local secrets",
    `${name} ${place} has ${value.length} characters, and needs at least ${MIN_SECRET_LENGTH}. Make one with: openssl rand -hex 32`,
  );
}

/** @param {string} name @param {string} value */
function quote(name, value) {
  if (/^[\w./+=:@-]+$/.test(value)) return value;
  const mark = ["'", "`"].find((candidate) => !value.includes(candidate));
  if (!mark) {
    throw new StepFailed(
      "Making the local secrets",
      `${name} contains both ' and \`, which .dev.vars cannot quote; choose another value`,
    );
  }
  return mark + value + mark;
}
