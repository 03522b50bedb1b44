// The local secrets, `.dev.vars`: made once from random bytes, private to the user, never overwritten.
// A secret that is already in the environment is taken instead. It reaches the Worker through a second private
// file that wrangler reads after the first, because a command line can be seen by everybody on the machine.
// That second file goes through dotenv and dotenv-expand, hence the quoting below.
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { StepFailed } from "../install.mjs";

/** The secrets that the Worker cannot start without. */
export const SECRET_NAMES = /** @type {const} */ (["OPERATOR_KEY", "SIGNING_SECRET"]);

const HEADER = "# Local secrets, made by npm start. Not for production: there they are Worker secrets.\n";

/**
 * Adds the secrets that the file lacks: from the environment, else from 32 random bytes. Mode 0600.
 * @param {string} path
 * @param {Record<string, string | undefined>} environment
 * @returns {Record<string, string>} every secret as the Worker will have it; the environment wins for this start
 */
export function ensureSecrets(path, environment) {
  const text = existsSync(path) ? readFileSync(path, "utf8") : HEADER;
  const present = parseDevVars(text);
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
 * Writes the secrets that come from the environment to a private file for `wrangler dev --env-file`.
 * @param {string} path
 * @param {Record<string, string | undefined>} environment
 * @returns {(() => void) | null} removes the file again; null when the environment has none and nothing was written
 */
export function writeOverrides(path, environment) {
  const lines = SECRET_NAMES.filter((name) => environment[name]).map(
    // dotenv-expand reads $NAME even inside quotes and takes \$ for a dollar sign.
    (name) => `${name}=${quote(name, (environment[name] ?? "").replaceAll("$", "\\$"))}\n`,
  );
  if (lines.length === 0) return null;
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  writeFileSync(path, lines.join(""), { mode: 0o600 });
  return () => rmSync(path, { force: true });
}

/**
 * Reads NAME=value lines as dotenv does: optional `export`, comments, one of three kinds of quotes.
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

/** @param {string} name @param {string} value */
function quote(name, value) {
  if (/^[\w./+=:@-]+$/.test(value)) return value;
  const mark = ["'", "`"].find((candidate) => !value.includes(candidate));
  if (!mark) {
    throw new StepFailed(
      "Making the local secrets",
      `${name} holds both ' and \`, which .dev.vars cannot carry; choose another value`,
    );
  }
  return mark + value + mark;
}
