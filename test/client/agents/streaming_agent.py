"""The agent of streaming-agent.ts with the Python client.

It prints how long each report took: the CPU time of its thread, or the whole time if the thread had to wait for anything,
such as a lock. Time in which a thread of this process was ready but another process ran does not count.
"""

import contextlib
import dataclasses
import glob
import json
import os
import resource
import time

AHEAD = float(os.environ.get("CLOCK_AHEAD_MS", "0")) / 1000
real_time = time.time
time.time = lambda: real_time() + AHEAD

from fuelgauge import Fuelgauge  # noqa: E402: the clock must be wrong before

TOKENS = 150
TOTALS = os.environ["TOTALS"]


def waits() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def preempted() -> float:
    """Seconds in which threads of this process were ready but did not run. Only Linux has these files."""
    seconds = 0.0
    for path in glob.glob("/proc/self/task/*/schedstat"):
        with contextlib.suppress(OSError), open(path) as scheduling:
            seconds += int(scheduling.read().split()[1]) / 1e9
    return seconds


totals = {}
if os.path.exists(TOTALS):
    with open(TOTALS) as kept:
        totals = json.load(kept)
done = totals.get("gpt-5", {}).get("output_tokens", 0) // 10


def keep(kept_totals):
    with open(TOTALS + ".new", "w") as kept:
        json.dump(kept_totals, kept)
    os.replace(TOTALS + ".new", TOTALS)


fuelgauge = Fuelgauge(
    os.environ["FUELGAUGE_URL"],
    os.environ["ENTERPRISE"],
    os.environ["KEY"],
    start_without_ledger=True,
    start_limit=0.4,
    on_trouble=lambda trouble: None,
)
run = fuelgauge.start_run(os.environ["RUN"], surface="cli", workspace="w1", user="u1", totals=totals, keep=keep)
held_up = []
for token in range(done + 1, TOKENS + 1):
    others = preempted()
    cpu, steady, waited = time.thread_time(), time.perf_counter(), waits()
    run.report("gpt-5", {"input_tokens": 100, "output_tokens": token * 10})
    cpu, steady, waited = time.thread_time() - cpu, time.perf_counter() - steady, waits() - waited
    held_up.append(1000 * max(cpu, steady - (preempted() - others) if waited else 0))
    time.sleep(0.01)
    if token == 50:
        print("half", flush=True)
finished = dataclasses.asdict(run.finish(180))
fuelgauge.close()
print(json.dumps({**finished, "action": run.action, "heldUpMs": held_up}))
