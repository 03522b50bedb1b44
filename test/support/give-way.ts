/**
 * Gives this process, and those that it starts, a lower priority. Tests with a time limit on what a person sees run at the
 * same time with the usual priority, so they get the processor when they need it.
 */
import { getPriority, setPriority } from "node:os";

const LOWER_PRIORITY = 10;

// A process that was started with an even lower priority may not raise it.
if (getPriority() < LOWER_PRIORITY) setPriority(LOWER_PRIORITY);
