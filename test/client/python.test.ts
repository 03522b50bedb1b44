// The Python client as a separate process, against the real Worker, through a network that fails, loses answers and is
// slow. The charge is right in the end, and counting never waits.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ledger, startLedger } from "./worker.ts";

const CLIENT = resolve(import.meta.dirname, "../../clients/python");
const hasPython = (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, "python3")));
const folder = mkdtempSync(join(tmpdir(), "fuelgauge-python-"));

/** What happens to a request: it passes, it is refused, or its answer is lost or late. */
type Fault = "pass" | "down" | "lost" | "late";

let ledger: Ledger;
let enterprise: Awaited<ReturnType<Ledger["newEnterprise"]>>;
let network: { url: string; close(): void };
let faultOf: (path: string, count: number) => Fault = () => "pass";

beforeAll(async () => {
  ledger = await startLedger();
  [enterprise, network] = await Promise.all([ledger.newEnterprise(), startNetwork()]);
}, 120_000);

afterAll(async () => {
  network.close();
  await ledger.close();
  rmSync(folder, { recursive: true });
});

/** A network between the agent and the ledger that fails as the test decides. */
async function startNetwork() {
  let count = 0;
  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const path = request.url ?? "";
    const fault = faultOf(path, ++count);
    if (fault === "down") return request.socket.destroy();
    const headers = { Authorization: request.headers.authorization ?? "", "Content-Type": "application/json" };
    const answer = await fetch(ledger.url + path, { method: "POST", headers, body });
    const text = await answer.text();
    if (fault === "lost") return request.socket.destroy();
    if (fault === "late") await new Promise((late) => setTimeout(late, 1_500));
    response.writeHead(answer.status, { "Content-Type": "application/json" }).end(text);
  };
  const server = createServer((request, response) => void pass(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, close: () => server.close() };
}

/** Runs a program that has `fuelgauge`, a client, and returns the JSON that it prints last. */
async function python(program: string): Promise<Record<string, unknown>> {
  const file = join(folder, "agent.py");
  const client = `Fuelgauge("${network.url}", "${enterprise.id}", "${enterprise.key}", start_without_ledger=True, start_limit=0.5)`;
  const head = `import dataclasses, json, time\nfrom fuelgauge import Fuelgauge, RunRefused\nfuelgauge = ${client}\n`;
  writeFileSync(file, `${head}WHO = dict(surface="cli", workspace="w1", user="u1")\n${program}`);
  const child = spawn("python3", [file], { env: { ...process.env, PYTHONPATH: CLIENT, PYTHONDONTWRITEBYTECODE: "1" } });
  const printed = { out: "", err: "" };
  child.stdout.on("data", (data) => (printed.out += data));
  child.stderr.on("data", (data) => (printed.err += data));
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`ended with ${status}: ${printed.out}${printed.err}`);
  return JSON.parse(printed.out.trim().split("\n").at(-1) ?? "");
}

const COUNT = `
slowest = 0
for tokens in range(1, 201):
    before = time.perf_counter()
    run.report("gpt-5", {"input_tokens": 100, "output_tokens": tokens * 10})
    slowest = max(slowest, time.perf_counter() - before)
    time.sleep(0.01)
finished = run.finish(60)
print(json.dumps({"run": run.id, "slowest": slowest, "action": run.action, **dataclasses.asdict(finished)}))
`;

describe.runIf(hasPython)("the Python client; skipped only if python3 is missing", () => {
  it.each<[string, typeof faultOf]>([
    ["a network without faults", () => "pass"],
    ["an outage at the start", (_path, count) => (count <= 4 ? "down" : "pass")],
    [
      "lost answers and requests",
      (path, count) => (path.endsWith("/runs") ? "pass" : count % 3 === 0 ? "lost" : count % 3 === 1 ? "down" : "pass"),
    ],
    ["a slow ledger", (path) => (path.endsWith("/runs") ? "pass" : "late")],
  ])("charges exactly the final totals, and never delays the agent: %s", async (_name, fault) => {
    let first = 0;
    faultOf = (path, count) => {
      first ||= count;
      return fault(path, count - first + 1);
    };
    const printed = await python(`run = fuelgauge.start_run(**WHO)\n${COUNT}`);
    expect(printed).toMatchObject({ delivered: true, refused: [], unit: "credits", charged_micros: 2_012_500 });
    const { final, meters } = await enterprise.receipt(printed.run as string);
    expect([final, meters[0]?.usage]).toMatchObject([true, { input_tokens: 100, output_tokens: 2_000 }]);
    // On an idle machine this is well below 5 ms. Other tests share this one.
    expect(printed.slowest).toBeLessThan(0.1);
  });

  it("raises only if a run may not start, or for a count that cannot be right", async () => {
    faultOf = () => "pass";
    const program = `
codes = []
try:
    fuelgauge.start_run(**WHO, hold_micros=9_000_000_000_000_000)
except RunRefused as refusal:
    codes.append(refusal.code)
run = fuelgauge.start_run(**WHO)
try:
    run.report("gpt-5", {"input_tokens": -1, "output_tokens": 0})
except ValueError as error:
    codes.append(str(error))
print(json.dumps({"codes": codes}))
`;
    const count = "input_tokens must be an integer from 0 to 10^12, not -1";
    expect(await python(program)).toEqual({ codes: ["insufficient_credits", count] });
  });

  it("stops when the ledger asks for it, and calls the listener", async () => {
    faultOf = () => "pass";
    const poor = await ledger.newEnterprise({ plan: "free", monthly_allowance_micros: 1_000_000 });
    const program = `
fuelgauge = Fuelgauge("${network.url}", "${poor.id}", "${poor.key}")
actions = []
run = fuelgauge.start_run(**WHO, on_action=lambda action, reason: actions.append([action, reason]))
run.report("gpt-5", {"input_tokens": 0, "output_tokens": 100_000})
while not run.should_stop: time.sleep(0.01)
print(json.dumps({"actions": actions, "delivered": run.finish().delivered}))
`;
    expect(await python(program)).toEqual({ actions: [["stop", "credits_exhausted"]], delivered: true });
  });
});
