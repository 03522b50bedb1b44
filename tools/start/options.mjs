// The options of `npm start`: its own three, and whatever else belongs to `wrangler dev`.
// Pure: argument list in, plain object out; what is wrong is thrown as OptionError with a sentence for the user.
import { parseArgs } from "node:util";

export const START_HELP = `npm start -- [options]

Installs what is missing, makes local secrets, applies the migrations and starts Fuelgauge.

  --port N           listen on this port (default 8787)
  --persist-to DIR   keep the local data here (default .wrangler/state)
  --no-demo          start empty: no demo enterprises, no demo agent
  --help             show this

Every other option goes to "wrangler dev", for example: npm start -- --ip 0.0.0.0 --log-level debug`;

/** Wrong usage of a tool; the message is for the person at the terminal. */
export class OptionError extends Error {}

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
  const options = { port: 8787, persistTo: ".wrangler/state", demo: true, help: false, passedOn: [] };
  let mayBeValue = false;
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      // parseArgs cannot know which foreign options take a value: a word right after one is its value.
      if (!mayBeValue) throw new OptionError(`Unknown argument "${token.value}". See npm start -- --help.`);
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
  return options;
}

/**
 * The host that the started Worker answers under, for the links and for the health check.
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
    throw new OptionError(`--port is "${value}"; give a whole number from 1 to 65535.`);
  }
  return port;
}

/** @param {string} name @param {string | undefined} value */
function toValue(name, value) {
  if (value === undefined || value === "" || value.startsWith("--")) throw new OptionError(`${name} needs a value.`);
  return value;
}

/** @param {string} name @param {string | undefined} value */
function toFlag(name, value) {
  if (value !== undefined) throw new OptionError(`${name} takes no value, got "${value}".`);
  return true;
}
