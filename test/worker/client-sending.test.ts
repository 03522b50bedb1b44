// What the client sends and how it handles answers: coalescing, batches, concurrent calls, model names, actions, refusals.
import { describe, expect, it } from "vitest";
import { RunStopped } from "../../packages/client/src/fuelgauge.ts";
import { CREDIT } from "./api.ts";
import { newWorld, output } from "./client-world.ts";

describe("a run's reports", () => {
  it("are coalesced to four a second per meter without losing usage", async () => {
    const { clock, connect, sent, batches, used, finish } = await newWorld();
    const run = await connect().start("run-1");
    for (let tokens = 1; tokens <= 3_000; tokens++) {
      run.report("gpt-5", output(tokens));
      if (tokens % 60 === 0) await clock.pass(20);
    }
    const times = sent.filter(({ path }) => path.endsWith("/debits")).map(({ atMs }) => atMs);
    expect(times.slice(0, 4)).toEqual([0, 250, 500, 750]);
    expect(batches().length).toBeLessThanOrEqual(5);
    expect(await finish(run)).toEqual({
      delivered: true,
      charged_micros: 3 * CREDIT,
      unit: "credits",
      refused: [],
      not_counted: [],
      unpriced: [],
    });
    expect(await used()).toBe(3 * CREDIT);
    expect(batches().at(-1)).toMatchObject([{ usage: { output_tokens: 3_000 }, final: true }]);
  });

  it("made while a request is in flight are sent after it", async () => {
    const { clock, network, connect, batches, used } = await newWorld();
    const run = await connect().start("run-1");
    network.fault = () => ({ slowMs: 700 });
    run.report("gpt-5", output(100));
    await clock.pass(300);
    run.report("gpt-5", output(1_000));
    await clock.pass(300);
    expect(batches()).toHaveLength(1);
    await clock.pass(1_000);
    expect(batches()).toHaveLength(2);
    expect(await used()).toBe(CREDIT);
  });

  it("are all awaited by finish(), including the final one behind a request in flight", async () => {
    const { clock, network, connect, used } = await newWorld();
    const run = await connect().start("run-1");
    network.fault = () => ({ slowMs: 700 });
    run.report("gpt-5", output(1_000));
    await clock.pass(100);
    let finished = false;
    const finishing = run.finish().then(() => {
      finished = true;
    });
    await clock.pass(1_000);
    expect(finished).toBe(false);
    await clock.pass(400);
    await finishing;
    expect(await used()).toBe(CREDIT);
  });

  it("of many runs share requests of up to five hundred reports", async () => {
    const { clock, connect, batches, used } = await newWorld();
    const client = connect();
    const runs = await Promise.all(Array.from({ length: 40 }, (_, i) => client.start(`run-${i}`)));
    for (const run of runs) for (let model = 0; model < 16; model++) run.report(MODELS[model] as string, output(1_000));
    await clock.pass(0);
    expect(batches().map((reports) => reports.length)).toEqual([500, 140]);
    expect(await client.flush()).toBe(true);
    expect(await used()).toBeGreaterThan(640 * 1_000);
  });

  it("are not sent again while nothing changes", async () => {
    const { clock, connect, sent } = await newWorld();
    const run = await connect().start("run-1");
    run.report("gpt-5", output(100));
    await clock.pass(500);
    run.report("gpt-5", output(100));
    await clock.pass(60_000);
    expect(sent.map(({ path }) => path.split("/").at(-1))).toEqual(["runs", "debits"]);
    expect(clock.pending).toBe(0);
  });

  it("that are final close the meter at exactly their totals, even if lower", async () => {
    const { clock, connect, enterprise, finish } = await newWorld();
    const run = await connect().start("run-1");
    run.report("gpt-5", output(5_000));
    run.report("gpt-5-mini", output(5_000));
    await clock.pass(250);
    run.final("gpt-5", output(2_000));
    expect(await finish(run)).toMatchObject({ delivered: true, charged_micros: 3 * CREDIT });
    const { final, meters } = await enterprise.receipt("run-1");
    expect(final).toBe(true);
    const outputs = meters.map((meter: { model: string; usage: { output_tokens: number } }) => [
      meter.model,
      meter.usage.output_tokens,
    ]);
    expect(Object.fromEntries(outputs)).toEqual({ "gpt-5": 2_000, "gpt-5-mini": 5_000 });
  });

  it("with higher totals than an earlier final still count", async () => {
    const { clock, connect, finish, used } = await newWorld();
    const run = await connect().start("run-1");
    run.final("gpt-5", output(1_000));
    await clock.pass(250);
    run.report("gpt-5", output(1_700));
    await finish(run);
    expect(await used()).toBe(1.7 * CREDIT);
  });

  it("with invalid counts change no total, and never throw", async () => {
    const { connect, finish } = await newWorld();
    const run = await connect().start("run-1");
    run.report("gpt-5", output(10));
    const { totals } = run;
    for (const tokens of [-1, 0.5, Number.NaN, 1e13]) run.report("gpt-5", output(tokens));
    expect(run.totals).toEqual(totals);
    expect((await finish(run)).refused).toMatchObject([{ code: "invalid_usage", model: "gpt-5" }]);
  });
});

describe("the calls of a run", () => {
  it("add up, concurrent or in sequence, and ignore updates after their end", async () => {
    const { clock, connect, enterprise, finish } = await newWorld();
    const run = await connect().start("run-1");
    const [first, second] = [run.call(), run.call()];
    first.update("gpt-5", output(10));
    second.update("gpt-5", { input_tokens: 7, output_tokens: 5, cache_read_tokens: 3 });
    first.update("gpt-5", output(30));
    first.end();
    await clock.pass(250);
    first.update("gpt-5", output(1_000));
    const third = run.call();
    third.update("gpt-5", output(100));
    const totals = { input_tokens: 7, output_tokens: 135, cache_read_tokens: 3, cache_write_tokens: 0 };
    expect(run.totals).toEqual({ "gpt-5": totals });
    await finish(run);
    expect((await enterprise.receipt("run-1")).meters).toMatchObject([{ usage: totals, final: true }]);
  });

  it("under several names of a model are one meter with one sum", async () => {
    const { clock, connect, enterprise, finish } = await newWorld();
    const run = await connect().start("run-1");
    run.call().update("gpt-5", output(1_000));
    run.call().update("gpt-5-2025-08-07", output(400));
    await clock.pass(500);
    run.call().update("gpt-5-2025-08-07", output(50));
    expect(await finish(run)).toMatchObject({ delivered: true, charged_micros: 1.45 * CREDIT });
    expect((await enterprise.receipt("run-1")).meters).toMatchObject([{ model: "gpt-5", usage: output(1_450) }]);
    expect(Object.keys(run.totals).sort()).toEqual(["gpt-5", "gpt-5-2025-08-07"]);
  });

  it("are summed even if both names were final before the ledger answered", async () => {
    const { connect, finish, used } = await newWorld();
    const run = await connect().start("run-1");
    run.call().update("gpt-5", output(1_000));
    run.call().update("gpt-5-2025-08-07", output(400));
    await finish(run);
    expect(await used()).toBe(1.4 * CREDIT);
  });

  it("under a dated name that the price book lacks are charged as the undated model", async () => {
    const { connect, enterprise, finish } = await newWorld();
    const run = await connect().start("run-1");
    run.call().update("gpt-5-2031-01-31", output(1_000));
    run.call().update("gpt-5@20310131", output(200));
    run.call().update("gpt-5", output(30));
    expect(await finish(run)).toMatchObject({ delivered: true, refused: [], charged_micros: 1.23 * CREDIT });
    expect((await enterprise.receipt("run-1")).meters).toHaveLength(1);
  });

  it("that end without usage are reported as a trouble", async () => {
    const { connect, troubles } = await newWorld();
    (await connect().start("run-1")).call().end();
    expect(troubles).toMatchObject([{ kind: "no_usage", run: "run-1" }]);
  });
});

describe("an action of the ledger", () => {
  it("calls listeners once per change, and a stop aborts the signal", async () => {
    const { clock, connect } = await newWorld({ monthly_allowance_micros: 100 * CREDIT });
    const run = await connect().start("run-1");
    const actions: unknown[] = [];
    run.onAction(({ action, reason, answer }) => actions.push([action, reason, answer?.available_micros]));
    for (const tokens of [50_000, 94_000, 95_500, 96_000, 100_000, 101_000]) {
      expect(run.signal.aborted).toBe(tokens > 100_000);
      run.report("gpt-5", output(tokens));
      await clock.pass(250);
    }
    expect(actions).toEqual([
      ["wind_down", null, 4.5 * CREDIT],
      ["stop", "credits_exhausted", 0],
    ]);
    expect(run.signal.reason).toBeInstanceOf(RunStopped);
    expect(run.signal.reason).toMatchObject({ reason: "credits_exhausted" });
  });

  it("reaches the other listeners if one throws", async () => {
    const { clock, connect, troubles } = await newWorld({ monthly_allowance_micros: CREDIT });
    const run = await connect().start("run-1");
    const actions: string[] = [];
    run.onAction(() => {
      throw new Error("mine");
    });
    const stop = run.onAction(({ action }) => actions.push(action));
    run.report("gpt-5", output(1_000));
    await clock.pass(250);
    expect(actions).toEqual(["stop"]);
    expect(troubles).toMatchObject([{ kind: "listener_failed", detail: "Error: mine" }]);
    stop();
  });
});

it("delivers reports even if onTrouble throws", async () => {
  const { connect, network, finish, used } = await newWorld();
  const onTrouble = () => {
    throw new Error("mine");
  };
  const run = await connect({ onTrouble }).start("run-1");
  let failures = 2;
  network.fault = () => (failures-- > 0 ? "down" : null);
  run.report("gpt-5", output(1_000));
  await finish(run, 5_000);
  expect(await used()).toBe(CREDIT);
});

/** A model at whose price a report of 10^12 tokens costs more than 2^53 micros. */
const DEAR = "o1-pro";

describe("a refused report", () => {
  it("is reported as a trouble, does not affect others, and is sent once more at the end", async () => {
    const { clock, connect, enterprise, batches, finish, troubles } = await newWorld();
    const run = await connect().start("run-1");
    run.report(DEAR, output(1_000_000_000_000 - 1));
    run.report("gpt-5", output(1_000));
    await clock.pass(250);
    run.report(DEAR, output(1_000_000_000_000));
    await clock.pass(1_000);
    expect(
      batches()
        .flat()
        .filter(({ model }: { model: string }) => model === DEAR),
    ).toHaveLength(1);
    const finished = await finish(run);
    expect(finished).toMatchObject({
      delivered: false,
      charged_micros: CREDIT,
      refused: [{ model: DEAR, status: 422, code: "charge_too_large" }],
    });
    expect(
      batches()
        .flat()
        .filter(({ model }: { model: string }) => model === DEAR),
    ).toHaveLength(2);
    expect(troubles.filter(({ kind }) => kind === "report_refused")).toHaveLength(2);
    expect((await enterprise.receipt("run-1")).meters).toHaveLength(1);
  });
});

const MODELS = [
  "gpt-5",
  "gpt-5-mini",
  "gpt-5-nano",
  "gpt-5-pro",
  "gpt-5.1",
  "gpt-5.2",
  "gpt-5.3",
  "gpt-5.4",
  "gpt-5.4-mini",
  "gpt-5.5",
  "gemini-2.5-flash",
  "gemini-2.5-pro",
  "claude-haiku-4-5",
  "claude-opus-4-5",
  "claude-opus-4-6",
  "claude-sonnet-4-5",
];
