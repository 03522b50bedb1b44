// Parses the command lines of tools. Wrong usage becomes a sentence for the person at the terminal.
// Plain JavaScript for Node 20, because `npm start` uses it before anything is installed.
import { parseArgs } from "node:util";

/** Wrong usage of a tool. The message is printed for the user as it is. */
export class UsageError extends Error {}

/**
 * Parses options with node:util's parseArgs. What it rejects becomes a UsageError that points to the help.
 * @template {import("node:util").ParseArgsConfig} T
 * @param {string} command the npm command, such as "npm run bench"
 * @param {T} config
 */
export function parseOptions(command, config) {
  try {
    return parseArgs(config);
  } catch (error) {
    const message = String(error instanceof Error ? error.message : error);
    throw new UsageError(`${message.replace(/\.?$/, ".")} See "${command} -- --help".`);
  }
}

/**
 * Returns the origin of a URL that was given as an option.
 * @param {string} option
 * @param {string} text
 */
export function parseBaseUrl(option, text) {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !["http:", "https:"].includes(url.protocol)) {
    throw new UsageError(`${option} is "${text}"; it must be a URL such as http://localhost:8787.`);
  }
  return url.origin;
}
