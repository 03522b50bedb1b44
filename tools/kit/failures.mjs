// Reports how a tool failed: with a sentence for the person at the terminal, and with a stack trace only for bugs.
// Plain JavaScript for Node 20, because the bootstrap uses it before anything is installed.
import { UsageError } from "./options.mjs";

/** A named step failed; `output` is what the failed command printed. */
export class StepFailed extends Error {
  /** @param {string} step @param {string} detail @param {string} [output] */
  constructor(step, detail, output = "") {
    super(`${step} failed: ${detail}.`);
    this.output = output.trim();
  }
}

/** Prints what failed and sets the exit code to 1. @param {unknown} error */
export function reportFailure(error) {
  process.exitCode = 1;
  if (error instanceof StepFailed && error.output) console.error(error.output);
  const isExpected = error instanceof StepFailed || error instanceof UsageError;
  console.error(isExpected ? `\n${error.message}` : error);
}
