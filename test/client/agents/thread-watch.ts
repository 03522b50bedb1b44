/** Measures how long this thread was held up, apart from the time in which other processes had the processor. */
import { readdirSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import process from "node:process";

const THREADS = "/proc/self/task";

/** The CPU time of this thread. */
export class CpuWatch {
  #before = process.threadCpuUsage();

  /** The milliseconds that this thread has computed since the last call. */
  computedMs(): number {
    const { user, system } = process.threadCpuUsage(this.#before);
    this.#before = process.threadCpuUsage();
    return (user + system) / 1_000;
  }
}

/** The time in which this thread could take no event, which is more than its CPU time if it waited inside a call. */
export class BusyWatch {
  #before = performance.eventLoopUtilization();
  #preemptedBeforeMs = preemptedMs();

  /** The milliseconds since the last call. Waiting for events does not count; without Linux, nothing does. */
  busyMs(): number {
    const { active } = performance.eventLoopUtilization(this.#before);
    const preempted = preemptedMs();
    const busyMs = active - (preempted - this.#preemptedBeforeMs);
    this.#before = performance.eventLoopUtilization();
    this.#preemptedBeforeMs = preempted;
    return busyMs;
  }
}

/** The time in which threads of this process were ready but did not run. This thread waits for those that collect garbage. */
function preemptedMs(): number {
  let sumMs = 0;
  try {
    for (const thread of readdirSync(THREADS)) {
      sumMs += Number(readFileSync(`${THREADS}/${thread}/schedstat`, "utf8").split(" ")[1]) / 1e6;
    }
  } catch {
    // Only Linux has these files.
    return Number.POSITIVE_INFINITY;
  }
  return sumMs;
}
