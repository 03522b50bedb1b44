// The Python client as a separate process, against the real Worker: refusals, wrong counts, and a run that is asked to
// stop. python/test_fuelgauge.py has what needs no Worker, and agent-streams.test.ts has the faults of the network.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ledger, startLedger } from "./worker.ts";

const CLIENT = resolve(import.meta.dirname, "../../clients/python");
const UNIT_TESTS = join(import.meta.dirname, "python");
const hasPython = (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, "python3")));
const folder = mkdtempSync(join(tmpdir(), "fuelgauge-python-"));

let ledger: Ledger;
let enterprise: Awaited<ReturnType<Ledger["newEnterprise"]>>;

beforeAll(async () => {
  ledger = await startLedger();
  enterprise = await ledger.newEnterprise();
});

afterAll(async () => {
  await ledger.close();
  rmSync(folder, { recursive: true });
});

/** Runs a program that has `fuelgauge`, a client, and returns the JSON that it prints last. */
async function python(program: string): Promise<Record<string, unknown>> {
  const file = join(folder, "agent.py");
  const client = `Fuelgauge("${ledger.url}", "${enterprise.id}", "${enterprise.key}", start_without_ledger=True, start_limit=0.5)`;
  const head = `import dataclasses, json, time\nfrom fuelgauge import Fuelgauge, RunRefused\nfuelgauge = ${client}\n`;
  writeFileSync(file, `${head}WHO = dict(surface="cli", workspace="w1", user="u1")\n${program}`);
  const { status, out, err } = await runPython([file]);
  if (status !== 0) throw new Error(`ended with ${status}: ${out}${err}`);
  return JSON.parse(out.trim().split("\n").at(-1) ?? "");
}

/** Runs python3 to its end. It finds the client, and writes no caches next to it. */
async function runPython(args: string[], more: Record<string, string> = {}) {
  // Python would ask the environment's proxy, if there is one, for the Workers on this machine.
  const env = { ...process.env, PYTHONPATH: CLIENT, PYTHONDONTWRITEBYTECODE: "1", no_proxy: "127.0.0.1", ...more };
  const child = spawn("python3", args, { env });
  const printed = { out: "", err: "" };
  child.stdout.on("data", (data) => (printed.out += data));
  child.stderr.on("data", (data) => (printed.err += data));
  const [status] = await once(child, "close");
  return { status, ...printed };
}

const EVENTS = `
from types import SimpleNamespace as Object
usage = Object(input_tokens=25, output_tokens=1, cache_read_input_tokens=0, cache_creation_input_tokens=None)
started = Object(type="message_start", message=Object(id="m", model="claude-sonnet-4-6", usage=usage))
text = Object(type="content_block_delta", index=0, delta=Object(type="text_delta", text="Hello"))
ended = Object(type="message_delta", delta=Object(stop_reason="end_turn"), usage=Object(output_tokens=15))
`;
const ANTHROPIC = `${EVENTS}
class Anthropic:
    messages = Object(create=lambda **asked: iter([started, text, ended]))
`;
const OPENAI = `from types import SimpleNamespace as Object
async def stream():
    delta = Object(content="Hello")
    yield Object(id="c", model="gpt-5-mini", choices=[Object(index=0, delta=delta, finish_reason=None)], usage=None)
    usage = Object(prompt_tokens=19, completion_tokens=10, total_tokens=29)
    yield Object(id="c", model="gpt-5-mini", choices=[], usage=usage)
async def create(**asked):
    assert asked["stream_options"] == {"include_usage": True}
    return stream()
class AsyncOpenAI:
    chat = Object(completions=Object(create=create))
`;

describe.runIf(hasPython)("the Python client; skipped only if python3 is missing", () => {
  it("passes its own tests: wrong setups and answers, streams, redirects, forks, threads, and programs that end", async () => {
    const { status, err } = await runPython(["-m", "unittest", "discover", "-s", UNIT_TESTS]);
    expect([status, err.replace(/^\{.*\}$/gm, "")]).toEqual([0, expect.stringMatching(/Ran 4\d tests/)]);
  });

  it("runs the examples of its README, with stand-ins for the providers' SDKs", async () => {
    const readme = readFileSync(join(CLIENT, "README.md"), "utf8");
    const examples = [...readme.matchAll(/^```python\n(.*?)^```/gms)].map(([, code]) => code as string);
    writeFileSync(join(folder, "anthropic.py"), ANTHROPIC);
    writeFileSync(join(folder, "openai.py"), OPENAI);
    const { id, key } = await ledger.newEnterprise();
    const env = { FUELGAUGE_URL: ledger.url, FUELGAUGE_ENTERPRISE: id, FUELGAUGE_KEY: key };
    const printed: string[] = [];
    for (const [i, code] of examples.entries()) {
      const file = join(folder, `example-${i}.py`);
      writeFileSync(file, code);
      const { status, out, err } = await runPython([file], env);
      expect([status, err]).toEqual([0, ""]);
      printed.push(out);
    }
    // 25 at 3 and 15 at 15 USD a million; 19 at 0.25 and 10 at 2; 1,200 at 0.25, 500 at 2, 300 at 1.25 and 20 at 10.
    const charges = ["30000", "2475", "187500"].map((micros) => expect.stringContaining(`charged_micros=${micros},`));
    expect(printed).toEqual(charges);
    expect(printed.slice(0, 2)).toEqual(printed.slice(0, 2).map(() => expect.stringMatching(/^Hello/)));
    expect(printed.map((out) => /delivered=True/.test(out))).toEqual([true, true, true]);
  });

  it("raises only if a run may not start, and counts what is right in a usage", async () => {
    const program = `
codes = []
try:
    fuelgauge.start_run(**WHO, hold_micros=9_000_000_000_000_000)
except RunRefused as refusal:
    codes.append(refusal.code)
run = fuelgauge.start_run(**WHO)
run.report("gpt-5", {"input_tokens": -1, "output_tokens": 1000})
finished = run.finish()
print(json.dumps({"codes": codes + [finished.refused[0]["code"]], "charged": finished.charged_micros}))
`;
    expect(await python(program)).toEqual({ codes: ["insufficient_credits", "invalid_usage"], charged: 1_000_000 });
  });

  it("names the budget that refuses a run, and stops a run whose budget is used up", async () => {
    const limited = await ledger.newEnterprise();
    const program = `
fuelgauge = Fuelgauge("${ledger.url}", "${limited.id}", "${limited.key}")
run = fuelgauge.start_run(**WHO)
run.report("gpt-5", {"input_tokens": 0, "output_tokens": 2_000})
while not run.should_stop: time.sleep(0.01)
run.finish()
try:
    fuelgauge.start_run(**WHO)
except RunRefused as refusal:
    print(json.dumps({"reason": run.reason, "code": refusal.code, "budget": refusal.budget}))
`;
    await limited.setBudget("user/u1/day", { limit_micros: 2_000_000 });
    expect(await python(program)).toMatchObject({
      reason: "budget_exhausted",
      code: "budget_exhausted",
      budget: { dimension: "user", id: "u1", period: "day", limit_micros: 2_000_000, used_micros: 2_000_000 },
    });
  });

  it("stops when the ledger asks for it, and calls the listener", async () => {
    const poor = await ledger.newEnterprise({ plan: "free", monthly_allowance_micros: 1_000_000 });
    const program = `
fuelgauge = Fuelgauge("${ledger.url}", "${poor.id}", "${poor.key}")
actions = []
run = fuelgauge.start_run(**WHO, on_action=lambda action, reason: actions.append([action, reason]))
run.report("gpt-5", {"input_tokens": 0, "output_tokens": 100_000})
while not run.should_stop: time.sleep(0.01)
print(json.dumps({"actions": actions, "delivered": run.finish().delivered}))
`;
    expect(await python(program)).toEqual({ actions: [["stop", "credits_exhausted"]], delivered: true });
  });

  it("waits at least as long as the ledger asks before it sends again, and a random part of a growing pause", async () => {
    const program = `
import fuelgauge as module
def bounds(failures, retry_after):
    pauses = []
    for module.random.random in (lambda: 0, lambda: 1):
        pauses.append(module._pause(failures, retry_after))
    return pauses
print(json.dumps({"pauses": [bounds(1, 0), bounds(3, 0), bounds(8, 0), bounds(1000, 0), bounds(2, 7)]}))
`;
    const pauses = [
      [0, 0.25],
      [0, 1],
      [0, 30],
      [0, 30],
      [7, 7.5],
    ];
    expect((await python(program)).pauses).toEqual(pauses);
  });
});
