// Runs each example of docs/client.md and of the package's README as a separate program, against the real Worker and
// simulated providers on this machine. One example is also killed and restarted, over a network that breaks.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { casesOf, type ProviderName, sizeOf } from "./golden.ts";
import { startProvider } from "./provider.ts";
import { type Ledger, startLedger } from "./worker.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const NODE = join(ROOT, "node_modules", ".bin", "node");
const folder = mkdtempSync(join(tmpdir(), "fuelgauge-docs-"));

let ledger: Ledger;
let provider: Awaited<ReturnType<typeof startProvider>>;
let enterprise: Awaited<ReturnType<Ledger["newEnterprise"]>>;

beforeAll(async () => {
  [ledger, provider] = await Promise.all([startLedger(), startProvider()]);
  enterprise = await ledger.newEnterprise({ upgrade_url: "https://platform.example/upgrade" });
});

afterAll(async () => {
  provider.close();
  await ledger.close();
  rmSync(folder, { recursive: true });
});

const examples = ["docs/client.md", "packages/client/README.md"].flatMap((file) =>
  [...readFileSync(join(ROOT, file), "utf8").matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code as string),
);

/** The only example that contains this text. */
function exampleWith(text: string): string {
  const found = examples.filter((code) => code.includes(text));
  if (found.length !== 1) throw new Error(`${found.length} examples contain ${text}`);
  return found[0] as string;
}

function environment(more: Record<string, string> = {}) {
  const { PATH = "", HOME = "" } = process.env;
  const keys = { ANTHROPIC_API_KEY: "k", OPENAI_API_KEY: "k", GEMINI_API_KEY: "k", AI_GATEWAY_API_KEY: "k" };
  const { id, key } = enterprise;
  return { PATH, HOME, ...keys, FUELGAUGE_URL: ledger.url, FUELGAUGE_ENTERPRISE: id, FUELGAUGE_KEY: key, ...more };
}

let written = 0;

/** Starts an example as a process. */
function start(code: string, more: Record<string, string> = {}) {
  const file = join(folder, `example-${++written}.mts`);
  writeFileSync(file, code);
  const args = ["--import", join(import.meta.dirname, "as-installed.mjs"), file];
  return spawn(NODE, args, { cwd: folder, env: environment(more) });
}

/** Runs an example to its end and returns what it printed. */
async function run(code: string, more: Record<string, string> = {}): Promise<{ out: string; err: string }> {
  const child = start(code, more);
  const printed = { out: "", err: "" };
  child.stdout.on("data", (data) => (printed.out += data));
  child.stderr.on("data", (data) => (printed.err += data));
  const [status] = await once(child, "close");
  if (status !== 0) throw new Error(`ended with ${status}: ${printed.out}${printed.err}`);
  return printed;
}

/** A provider that streams its first golden case, or the given responses. */
function play(name: ProviderName, responses = casesOf(name)[0]?.responses ?? []) {
  return provider.play({ provider: name, responses, ending: "end" });
}

/** What was printed by `console.log(await run.finish())`. */
function finishedWith(micros: number) {
  return new RegExp(`delivered: true,\\s+charged_micros: ${micros},\\s+unit: 'credits',\\s+refused: \\[\\]`);
}

describe("the examples", () => {
  it("are all run here", () => {
    expect(examples).toHaveLength(11);
  });

  it("meter a chat of OpenAI, in the README of the package", async () => {
    const { out } = await run(exampleWith("new OpenAI().chat"), { OPENAI_BASE_URL: play("openai-chat").url });
    // 19 tokens at 0.25 and 10 at 2 USD a million.
    expect(out).toBe("Hello\ncharged: 2475 micros\n");
  });

  it("meter a stream of Anthropic", async () => {
    const { url } = play("anthropic");
    const { out } = await run(exampleWith("@anthropic-ai/sdk"), { ANTHROPIC_BASE_URL: url });
    // 25 tokens at 3 and 15 at 15 USD a million: 300 millionths of a USD, a hundredfold in credits.
    expect(out).toMatch(/^Hello!/);
    expect(out).toMatch(finishedWith(30_000));
  });

  it("meter OpenAI, a complete answer and a stream, as one run", async () => {
    const usage = { input_tokens: 36, input_tokens_details: { cached_tokens: 0 }, output_tokens: 64 };
    const content = [{ type: "output_text", text: "1. Begin", annotations: [] }];
    const message = { type: "message", id: "msg_1", role: "assistant", status: "completed", content };
    const outline = {
      id: "resp_1",
      object: "response",
      model: "gpt-5-mini",
      status: "completed",
      output: [message],
      usage,
    };
    const complete = provider.play({
      provider: "openai-responses",
      responses: [[outline]],
      ending: "end",
      complete: true,
    });
    const streamed = play("openai-chat");
    const hub = await relay((path) => (path.startsWith("/responses") ? complete.url : streamed.url));
    const { out } = await run(exampleWith("client.responses.create"), { OPENAI_BASE_URL: hub.url });
    hub.close();
    expect(out).toMatch(/^Hello/);
    // 36 + 19 tokens at 0.25 and 64 + 10 at 2 USD a million.
    expect(out).toMatch(finishedWith(16_175));
    expect(streamed.requests[0]?.body).toMatchObject({ messages: [{ content: "Write it: 1. Begin" }] });
  });

  it("meter a stream of Google", async () => {
    const { out } = await run(exampleWith("@google/genai"), { GOOGLE_GEMINI_BASE_URL: play("google").url });
    expect(out).toMatch(/^The sky is blue\./);
    // 11 tokens at 0.3 and 212 at 2.5 USD a million.
    expect(out).toMatch(finishedWith(53_330));
  });

  it("meter a model of the Vercel AI SDK", async () => {
    const golden = casesOf("ai-sdk").find(({ name }) => name.startsWith("Anthropic"));
    const { out } = await run(exampleWith("wrapLanguageModel"), { GATEWAY_URL: play("ai-sdk", golden?.responses).url });
    expect(out).toMatch(/^Hello/);
    // 900 at 3, 321 at 15, 7 at 0.3 and 50 at 3.75 USD a million.
    expect(out).toMatch(finishedWith(770_460));
    expect(sizeOf(golden as never)).toBe(7);
  });

  it("report their own counts", async () => {
    const { out } = await run(exampleWith("run.final("));
    // gpt-5-mini: 1200 at 0.25, 480 at 2, 1000 at 0.025; gpt-5: 300 at 1.25, 20 at 10.
    expect(out).toMatch(finishedWith(128_500 + 57_500));
  });

  it("show a refusal, and stop when they are asked to", async () => {
    const poor = await ledger.newEnterprise({ plan: "free", upgrade_url: "https://platform.example/upgrade" });
    const { out, err } = await run(exampleWith("RunStopped"), {
      FUELGAUGE_ENTERPRISE: poor.id,
      FUELGAUGE_KEY: poor.key,
    });
    expect(out.split("\n")).toEqual([
      "insufficient_credits: 500 credits are left; for more see https://platform.example/upgrade",
      "stop credits_exhausted",
      "true The ledger asks this run to stop: credits_exhausted",
      "",
    ]);
    expect(err).toBe("");
  });

  it("start a run by policy while there is no ledger", async () => {
    const { out } = await run(exampleWith('policy: "open"'));
    expect(out).toMatch(/^policy false \{"gpt-5":\{"input_tokens":10,"output_tokens":5,/);
  });

  it("go through a socket", async () => {
    const used = async () => (await enterprise.get("gauge")).used_micros;
    const before = await used();
    const code = exampleWith("socketTransport");
    expect((await run(code)).out).toBe("true\n");
    // 1,000 tokens at 0.25 and 100 at 2 USD a million, twenty times.
    expect((await used()) - before).toBe(20 * 45_000);
    // The socket carried them: the result is the same if reports over HTTP fail.
    const noReports = `fetch: (url, init) => (url.endsWith("/debits") ? Promise.reject(url) : fetch(url, init)),`;
    expect((await run(code.replace("transport:", `${noReports} transport:`))).out).toBe("true\n");
    expect((await used()) - before).toBe(40 * 45_000);
  });

  it("report from a Worker after its answer", async () => {
    const file = exampleWith("waitUntil");
    const caller = `const work = [];
      const ctx = { waitUntil: (promise) => work.push(promise) };
      const response = await worker.fetch(new Request("https://agent.example/"), process.env, ctx);
      console.log(await response.text(), await Promise.all(work));`;
    const { out } = await run(`${file.replace("export default", "const worker =")}\n${caller}`);
    expect(out).toMatch(/^done/);
    expect(out).toMatch(finishedWith(45_000));
  });
});

it("charges a process that is killed repeatedly, over a network that breaks, as one run", async () => {
  const code = exampleWith("KEPT");
  const proxy = await startBreakableProxy(Number(new URL(ledger.url).port));
  const kept = join(folder, "kept.json");
  const more = { FUELGAUGE_URL: proxy.url, KEPT: kept };
  const read = () => JSON.parse(readFileSync(kept, "utf8"));
  const tokens = () => (existsSync(kept) ? read().totals["gpt-5"].output_tokens : 0);
  for (let life = 0; life < 5; life++) {
    const before = tokens();
    const child = start(code, more);
    // Each process would count twenty tokens if it were not killed.
    while (tokens() < before + 3 + 2 * life) await sleep(10);
    if (life % 2 === 1) proxy.breakFor(200);
    child.kill("SIGKILL");
    await once(child, "close");
    const { meters } = await enterprise.receipt(read().run);
    // The ledger never has more than was saved.
    expect(meters[0]?.usage.output_tokens ?? 0).toBeLessThanOrEqual(tokens());
  }
  const before = read().totals["gpt-5"];
  const { out } = await run(code, more);
  const { run: id, totals } = read();
  const receipt = await enterprise.receipt(id);
  proxy.close();
  expect(totals["gpt-5"].output_tokens).toBe(before.output_tokens + 20);
  expect(receipt).toMatchObject({ final: true, meters: [{ usage: totals["gpt-5"] }] });
  const { input_tokens, output_tokens } = totals["gpt-5"];
  expect(receipt.charged_micros).toBe(Math.ceil(input_tokens * 125 + output_tokens * 1_000));
  expect(out).toMatch(finishedWith(receipt.charged_micros));
});

/** Forwards each request to one of several URLs, chosen by its path. */
async function relay(targetOf: (path: string) => string) {
  const { createServer } = await import("node:http");
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const answer = await fetch(targetOf(request.url ?? "") + request.url, { method: "POST", body });
    response.writeHead(answer.status, { "Content-Type": answer.headers.get("Content-Type") ?? "" });
    response.end(await answer.text());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, close: () => server.close() };
}

/** A proxy for a port that can cut all connections at once, and refuse new ones for some time. */
async function startBreakableProxy(port: number) {
  const open = new Set<Socket>();
  let brokenUntilMs = 0;
  const server = createServer((near) => {
    if (Date.now() < brokenUntilMs) {
      near.destroy();
      return;
    }
    const far = connect(port, "127.0.0.1");
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.pipe(far).pipe(near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    breakFor(ms: number) {
      brokenUntilMs = Date.now() + ms;
      for (const socket of open) socket.destroy();
    },
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}
