// How tools fail: with a sentence for the person at the terminal, and a stack trace only for bugs.
// Plain JavaScript for Node 20, because the bootstrap uses it before anything is installed.
import { parseArgs } from "node:util";

/** Wrong usage of a tool. The message is printed for the user as it is. */
export class UsageError extends Error {}

/** A named step failed; `output` is what the failed command printed. */
export class StepFailed extends Error {
  /** @param {string} step @param {string} detail @param {string} [output] */
  constructor(step, detail, output = "") {
    super(`${step} failed: ${detail}.`);
    this.output = output.trim();
  }
}

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

/** Prints what failed and sets the exit code to 1. @param {unknown} error */
export function reportFailure(error) {
  process.exitCode = 1;
  if (error instanceof StepFailed && error.output) console.error(error.output);
  const isExpected = error instanceof StepFailed || error instanceof UsageError;
  console.error(isExpected ? `\n${error.message}` : error);
}
