// What the adapters and the client do when things go wrong: streams that are left or cut off, adapters that fail, tiers
// that cannot be read, reports that are refused, and a ledger that asks for fewer reports. The file is long because it has
// many small cases.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fuelgaugeMiddleware } from "../../packages/client/src/ai-sdk.ts";
import * as anthropic from "../../packages/client/src/anthropic.ts";
import * as bedrock from "../../packages/client/src/bedrock.ts";
import { type Clock, type Run, RunStopped } from "../../packages/client/src/fuelgauge.ts";
import * as google from "../../packages/client/src/google.ts";
import type { OpenAIEvent } from "../../packages/client/src/openai.ts";
import * as openai from "../../packages/client/src/openai.ts";
import { chooseTier } from "../../packages/client/src/tiers.ts";
import { startFakeLedger } from "./fake-ledger.ts";
import type { UsageCase } from "./usage-case.ts";
import { eventsOf } from "./usage-events.ts";
import { tiersOf, USAGE_CASES } from "./usages.ts";

let ledger: Awaited<ReturnType<typeof startFakeLedger>>;
let broken = false;

beforeAll(async () => {
  ledger = await startFakeLedger((model) => (broken ? "broken" : tiersOf(model)));
});

beforeEach(() => {
  broken = false;
  ledger.state.change = () => ({});
  ledger.troubles.length = 0;
});

afterAll(() => ledger.close());

/** A clock that stands still until the test moves it. */
class StoppedClock implements Clock {
  #nowMs = 0;
  #timers: { atMs: number; then: () => void }[] = [];

  nowMs = () => this.#nowMs;
  steadyMs = () => this.#nowMs;

  after(delayMs: number, then: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, then };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { then } of due) then();
  }
}

type Chunk = OpenAIEvent & object;

/** A stream of these events, which then throws the error if there is one. */
async function* streamOf(events: readonly object[], error?: Error): AsyncGenerator<Chunk, void, undefined> {
  for (const event of events) yield event as Chunk;
  if (error !== undefined) throw error;
}

function streamOfParts<Part>(parts: readonly Part[]): ReadableStream<Part> {
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(part);
      controller.close();
    },
  });
}

async function readAll(stream: AsyncIterable<unknown>, limit = Number.POSITIVE_INFINITY): Promise<unknown[]> {
  const events: unknown[] = [];
  try {
    for await (const event of stream) if (events.push(event) >= limit) break;
  } catch (error) {
    events.push(error);
  }
  return events;
}

const CHAT = USAGE_CASES.find(({ name }) => name === "a service tier that is the standard one") as UsageCase;
const chat = eventsOf(CHAT);
const withoutUsage = chat.slice(0, 2);

function start(model = "claude-sonnet-4-6") {
  const usage = { input_tokens: 100, output_tokens: 1 };
  return { type: "message_start", message: { id: "msg_1", type: "message", model, content: [], usage } };
}

const said = (text: string) => ({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } });

describe("a call that is not counted is listed with its cause", () => {
  const aborted = Object.assign(new Error("Request was aborted."), { name: "AbortError" });
  const cases: [string, readonly object[], number | undefined, Error | undefined, RegExp][] = [
    ["left_early", chat, 1, undefined, /left .*break/],
    ["not_stated", withoutUsage, undefined, undefined, /stream_options/],
    ["aborted", withoutUsage.slice(0, 1), undefined, aborted, /aborted/],
    ["failed", withoutUsage.slice(0, 1), undefined, new Error("socket hang up"), /socket hang up/],
    ["cut_off", withoutUsage.slice(0, 1), undefined, undefined, /cut off/],
  ];

  it.each(cases)("%s", async (reason, events, limit, error, detail) => {
    const run = await ledger.startRun();
    await readAll(openai.meter(streamOf(events, error), run), limit);
    const finished = await run.finish();
    expect(finished.not_counted).toMatchObject([{ reason, model: "gpt-5", partial: false }]);
    expect(finished.not_counted[0]?.detail).toMatch(detail);
    if (reason !== "not_stated") expect(finished.not_counted[0]?.detail).not.toMatch(/stream_options/);
    const { detail: hint } = finished.not_counted[0] as { detail: string };
    expect(ledger.troubles).toEqual([{ kind: "no_usage", run: run.id, model: "gpt-5", reason, detail: hint }]);
  });

  it("also if a part of it was stated", async () => {
    const run = await ledger.startRun();
    await readAll(anthropic.meter(streamOf([start(), said("Hello")]) as never, run), 2);
    expect(await run.finish()).toMatchObject({
      delivered: true,
      not_counted: [{ reason: "left_early", partial: true }],
    });
    expect(ledger.troubles).toMatchObject([{ kind: "partial_usage", reason: "left_early" }]);
    expect(ledger.finals(run)).toMatchObject({ "claude-sonnet-4-6": { input_tokens: 100, output_tokens: 1 } });
  });

  it("also if the response does not name its model", async () => {
    const run = await ledger.startRun();
    const usage = { input_tokens: 5, output_tokens: 6 };
    openai.record({ created: 1, data: [{ b64_json: "x" }], usage } as OpenAIEvent, run);
    openai.record({ created: 1, data: [{ b64_json: "x" }], usage } as OpenAIEvent, run, { model: "gpt-image-1" });
    expect((await run.finish()).not_counted).toMatchObject([
      { reason: "no_model", detail: expect.stringMatching(/model/) },
    ]);
    expect(ledger.finals(run)).toMatchObject({ "gpt-image-1": { input_tokens: 5, output_image_tokens: 6 } });
  });
});

describe("an estimate", () => {
  it("is made only on request, and marks the report", async () => {
    const run = await ledger.startRun();
    const text = "x".repeat(390);
    const events = [start(), said(text), said("漢字")];
    await readAll(anthropic.meter(streamOf(events) as never, run, { estimate: true }));
    expect(await run.finish()).toMatchObject({ delivered: true, not_counted: [] });
    const report = ledger.reports.findLast(({ run: id }) => id === run.id);
    // 390 characters of ASCII are 98 tokens, and each other character is one.
    expect(report).toMatchObject({ estimated: true, final: true, usage: { input_tokens: 100, output_tokens: 100 } });
  });

  it("of a chat counts the prompt that the caller passes", async () => {
    const run = await ledger.startRun();
    const messages = [{ role: "user", content: "y".repeat(396) }];
    await readAll(openai.meter(streamOf(withoutUsage), run, { estimate: { prompt: messages } }));
    await run.finish();
    // The role and the content: 400 characters.
    expect(ledger.finals(run)).toMatchObject({ "gpt-5": { input_tokens: 100, output_tokens: 1 } });
  });

  it("is not made of a stream that states its usage", async () => {
    const run = await ledger.startRun();
    await readAll(openai.meter(streamOf(chat), run, { estimate: { prompt: 7 } }));
    await run.finish();
    expect(ledger.finals(run)).toMatchObject({ "gpt-5": { input_tokens: 1_000, output_tokens: 100 } });
    expect(ledger.reports.filter(({ run: id, estimated }) => id === run.id && estimated)).toEqual([]);
  });

  it("of a model of the AI SDK counts the request's prompt", async () => {
    const run = await ledger.startRun();
    const parts = [{ type: "stream-start" }, { type: "text-delta", delta: "z".repeat(40) }];
    const { wrapStream } = fuelgaugeMiddleware(run, { estimate: true });
    const params = { prompt: "p".repeat(80) };
    const doStream = async () => ({ stream: streamOfParts(parts) });
    const { stream } = await wrapStream({ doStream, params, model: { modelId: "gpt-5" } });
    const reader = stream.getReader();
    while (!(await reader.read()).done);
    await run.finish();
    expect(ledger.finals(run)).toMatchObject({ "gpt-5": { input_tokens: 20, output_tokens: 10 } });
  });
});

describe("a stream is never harmed", () => {
  const odd = [
    null,
    7,
    "text",
    [],
    { usage: "none", choices: [null, 3], model: 5 },
    { usage: { prompt_tokens: -1, completion_tokens: Number.NaN, total_tokens: 1e300 } },
    { type: 4, response: { usage: [] } },
    { usageMetadata: 9, candidates: [null, { content: 4, groundingMetadata: 8 }] },
    { metadata: { usage: 4 }, contentBlockDelta: 3 },
    { type: "message_delta", usage: { cache_creation: 5, iterations: [null, 4] } },
    { type: "message_start", message: null },
    {
      get usage() {
        throw new Error("a trap");
      },
    },
  ];
  const meters: Record<string, (stream: never, run: never) => AsyncIterable<unknown>> = {
    anthropic: anthropic.meter,
    bedrock: (stream: never, run: Run) => bedrock.meter(stream, run, { model: "m" }),
    google: google.meter,
    openai: openai.meter,
  };

  it.each(Object.entries(meters))("by events of any shape: %s", async (_name, meter) => {
    const run = await ledger.startRun();
    const events = [start(), ...odd, ...odd];
    const passed = await readAll(meter(streamOf(events as object[]) as never, run as never));
    expect(passed).toEqual(events);
    expect((await run.finish()).delivered).toBe(true);
  });

  it("by counts that the ledger would refuse", async () => {
    const run = await ledger.startRun();
    const usage = { prompt_tokens: 5e12, completion_tokens: 1, total_tokens: 5e12 + 1 };
    const chunk = { id: "c", object: "chat.completion.chunk", model: "gpt-5", choices: [], usage };
    expect(await readAll(openai.meter(streamOf([chunk]), run))).toEqual([chunk]);
    expect((await run.finish()).refused).toMatchObject([{ code: "invalid_usage" }]);
  });

  it("by a price book that cannot be read: its events are not delayed, and other usage is reported", async () => {
    broken = true;
    const run = await ledger.startRun();
    const passed = await readAll(openai.meter(streamOf(chat), run));
    expect(passed).toHaveLength(chat.length);
    run.report("gpt-5-mini", { input_tokens: 1, output_tokens: 1 });
    expect(await run.finish({ waitMs: 300 })).toMatchObject({ delivered: false });
    expect(Object.keys(ledger.finals(run))).toEqual(["gpt-5-mini"]);
    expect(run.totals).toMatchObject({ "gpt-5": { input_tokens: 1_000 } });
    broken = false;
    expect(await run.finish({ waitMs: 10_000 })).toMatchObject({ delivered: true });
    expect(ledger.finals(run)).toMatchObject({ "gpt-5": { input_tokens: 1_000, output_tokens: 100 } });
  });
});

describe("the tiers of a model", () => {
  it("are asked for once, and only for calls", async () => {
    const client = ledger.connect();
    ledger.asked.length = 0;
    for (let call = 0; call < 3; call++) {
      const run = await ledger.startRun(client);
      for (let i = 0; i < 3; i++)
        openai.record({ model: "gpt-5.4", usage: { input_tokens: 9, output_tokens: 1 } }, run);
      run.report("gpt-5", { input_tokens: 1, output_tokens: 1 });
      await run.finish();
    }
    expect(ledger.asked).toEqual(["gpt-5.4"]);
  });

  it("move a call whose prompt turns out to be longer", async () => {
    const client = ledger.connect();
    const run = await ledger.startRun(client);
    const call = run.call();
    call.update("claude-sonnet-4-5", { input_tokens: 1_000, output_tokens: 1 });
    await client.flush();
    call.update("claude-sonnet-4-5", { input_tokens: 250_000, output_tokens: 9 });
    call.end();
    await run.finish();
    expect(ledger.finals(run)).toMatchObject({
      "claude-sonnet-4-5": { input_tokens: 0, output_tokens: 0 },
      "claude-sonnet-4-5 above_200000": { input_tokens: 250_000, output_tokens: 9 },
    });
  });

  it("are kept across a restart", async () => {
    const run = await ledger.startRun();
    run.report("gpt-5.4", { input_tokens: 5, output_tokens: 1 }, { tier: "batch" });
    run.report("gpt-5.4", { input_tokens: 7, output_tokens: 1 });
    expect(Object.keys(run.totals)).toEqual(["gpt-5.4 batch", "gpt-5.4"]);
    const again = await ledger.startRun(ledger.connect(), run.totals);
    await again.finish();
    expect(ledger.finals(again)).toMatchObject({
      "gpt-5.4 batch": { input_tokens: 5 },
      "gpt-5.4": { input_tokens: 7 },
    });
  });

  it("are kept for models that are named like a member of every object", async () => {
    const run = await ledger.startRun();
    for (const model of ["__proto__", "constructor"]) run.report(model, { input_tokens: 5, output_tokens: 1 });
    expect(Object.entries(run.totals)).toMatchObject([
      ["__proto__", { input_tokens: 5, output_tokens: 1 }],
      ["constructor", { input_tokens: 5, output_tokens: 1 }],
    ]);
  });

  it.each([
    ["standard", 100, "standard"],
    ["standard", 101, "above_100"],
    ["standard", 201, "above_200"],
    ["batch", 100, "batch"],
    ["batch", 101, "batch_above_100"],
    ["batch", 500, "batch_above_100"],
    ["flex", 500, "flex"],
    ["priority", 50, "priority"],
    ["express", 500, "express_above_200"],
  ])("of %s with a prompt of %d tokens: %s", (service, prompt, tier) => {
    const thresholds = new Map<string, number | null>([
      ["above_200", 200],
      ["batch_above_100", null],
      ["above_100", 100],
      ["batch", null],
      ["express", null],
      ["express_above_200", 200],
    ]);
    expect(chooseTier(thresholds, service, prompt)).toBe(tier);
  });
});

describe("finish()", () => {
  it("is delivered only if everything was accepted, and lists what was refused and what has no price", async () => {
    const run = await ledger.startRun();
    ledger.state.change = ({ model }) => {
      if (model === "bad") return { status: 422, code: "validation_failed", detail: "no" };
      return { priced: model !== "new" };
    };
    for (const model of ["good", "bad", "new"]) run.report(model, { input_tokens: 1, output_tokens: 1 });
    expect(await run.finish()).toMatchObject({
      delivered: false,
      refused: [{ model: "bad", tier: "standard", code: "validation_failed" }],
      unpriced: ["new"],
    });
  });

  it("closes usage that is counted after it, too", async () => {
    const run = await ledger.startRun();
    const call = run.call();
    await run.finish();
    call.update("gpt-5", { input_tokens: 1, output_tokens: 1 });
    call.end();
    expect((await run.finish()).delivered).toBe(true);
    expect(Object.keys(ledger.finals(run))).toEqual(["gpt-5"]);
  });
});

it("collects usage for as long as the ledger asks, except at the end", async () => {
  ledger.state.change = () => ({ report_after_ms: 1_200 });
  const clock = new StoppedClock();
  const client = ledger.connect({ clock });
  const run = await ledger.startRun(client);
  const sent = () => ledger.reports.filter((report) => report.run === run.id).length;
  const report = (tokens: number) => run.report("gpt-5", { input_tokens: 0, output_tokens: tokens });
  report(1);
  clock.pass(250);
  await client.flush();
  for (let tokens = 2; tokens <= 30; tokens++) {
    report(tokens);
    clock.pass(25);
  }
  expect(sent()).toBe(1);
  clock.pass(1_200 - 29 * 25);
  await client.flush();
  expect(sent()).toBe(2);
  report(31);
  const finished = run.finish();
  clock.pass(250);
  expect(await finished).toMatchObject({ delivered: true });
  expect(ledger.finals(run)).toMatchObject({ "gpt-5": { output_tokens: 31 } });
});

it("reports to an earlier version of the ledger without the fields that it does not know", async () => {
  const main = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"];
  ledger.state.change = ({ tier, estimated, usage }) => {
    const isKnown =
      tier === undefined && estimated === undefined && Object.keys(usage).every((kind) => main.includes(kind));
    return isKnown ? {} : { status: 422, code: "validation_failed", detail: "unknown field" };
  };
  const run = await ledger.startRun();
  const cached = { cache_write_tokens: 5, cache_write_1h_tokens: 6 };
  run.report("gpt-5", { input_tokens: 1, output_tokens: 2, input_audio_tokens: 3, output_image_tokens: 4, ...cached });
  run.report("gpt-5", { input_tokens: 10, output_tokens: 20, web_searches: 3 }, { tier: "flex", estimated: true });
  expect(await run.finish()).toMatchObject({ delivered: true, refused: [] });
  const usage = { input_tokens: 14, output_tokens: 26, cache_read_tokens: 0, cache_write_tokens: 11 };
  expect(ledger.reports.findLast(({ run: id }) => id === run.id)).toMatchObject({ final: true, usage });
  expect(ledger.finals(run)["gpt-5"]).toEqual(usage);
});

it("stops a run from within a metered stream without throwing into it", async () => {
  ledger.state.change = () => ({ action: "stop", reason: "credits_exhausted" });
  const client = ledger.connect();
  const run = await ledger.startRun(client);
  const seen: unknown[] = [];
  for await (const event of anthropic.meter(streamOf([start(), said("a"), said("b")]) as never, run)) {
    seen.push(event);
    await client.flush();
  }
  expect(seen).toHaveLength(3);
  expect(run.signal.reason).toBeInstanceOf(RunStopped);
  expect((await run.finish()).not_counted).toMatchObject([{ reason: "aborted", partial: true }]);
});
