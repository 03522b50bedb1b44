// Parses the options of `npm start`. Unknown ones are passed on to `wrangler dev`.
// Pure: an argument list in, a plain object out. Wrong usage throws UsageError with a sentence for the user.

import { parseArgs } from "node:util";
import { UsageError } from "../kit/options.mjs";

export const START_HELP = `Usage: npm start -- [options]

Installs what is missing, makes local secrets, applies the database migrations and starts Fuelgauge.

  --port N           listen on port N (default 8787)
  --persist-to DIR   store local data in DIR (default .wrangler/state, or .wrangler/state-no-demo with --no-demo)
  --no-demo          start empty: no demo enterprises and no demo agents
  --help             show this help

All other options are passed on to "wrangler dev", for example: npm start -- --ip 0.0.0.0 --log-level debug`;

/**
 * @typedef {{port: number, persistTo: string, demo: boolean, help: boolean, passedOn: string[]}} StartOptions
 * @param {string[]} args
 * @returns {StartOptions}
 */
export function parseStartOptions(args) {
  const { tokens } = parseArgs({
    args,
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      port: { type: "string" },
      "persist-to": { type: "string" },
      "no-demo": { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  /** @type {StartOptions} */
  const options = { port: 8787, persistTo: "", demo: true, help: false, passedOn: [] };
  let mayBeValue = false;
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      // parseArgs does not know which of wrangler's options take a value: a word right after one counts as its value.
      if (!mayBeValue) throw new UsageError(`Unknown argument "${token.value}". See "npm start -- --help".`);
      options.passedOn.push(token.value);
      mayBeValue = false;
      continue;
    }
    mayBeValue = false;
    if (token.name === "port") options.port = toPort(token.value);
    else if (token.name === "persist-to") options.persistTo = toValue("--persist-to", token.value);
    else if (token.name === "no-demo") options.demo = !toFlag("--no-demo", token.value);
    else if (token.name === "help") options.help = true;
    else {
      options.passedOn.push(token.inlineValue ? `${token.rawName}=${token.value}` : token.rawName);
      mayBeValue = !token.inlineValue;
    }
  }
  // Its own folder: otherwise it would open the demo's enterprises.
  options.persistTo ||= options.demo ? ".wrangler/state" : ".wrangler/state-no-demo";
  return options;
}

/**
 * The host under which the Worker can be reached, for the printed links and the health check.
 * @param {string[]} passedOn
 */
export function hostOf(passedOn) {
  const at = passedOn.findIndex((arg) => arg === "--ip" || arg.startsWith("--ip="));
  const ip = at < 0 ? undefined : passedOn[at]?.includes("=") ? passedOn[at].slice(5) : passedOn[at + 1];
  if (!ip || ["0.0.0.0", "::", "*", "127.0.0.1", "::1"].includes(ip)) return "localhost";
  return ip.includes(":") ? `[${ip}]` : ip;
}

/** @param {string | undefined} value */
function toPort(value) {
  const port = Number(toValue("--port", value));
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new UsageError(`--port is "${value}"; it must be a whole number from 1 to 65535.`);
  }
  return port;
}

/** @param {string} name @param {string | undefined} value */
function toValue(name, value) {
  if (value === undefined || value === "" || value.startsWith("--")) throw new UsageError(`${name} needs a value.`);
  return value;
}

/** @param {string} name @param {string | undefined} value */
function toFlag(name, value) {
  if (value !== undefined) throw new UsageError(`${name} takes no value, but got "${value}".`);
  return true;
}
