// The price book over HTTP and the prices that meters are pinned to (rule R1).
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { currentPrices } from "../../src/catalog/current-prices.ts";
import { expectProblem, invalidPaths, newEnterprise, operator, report, senderWith, start } from "./api.ts";

const PATH = "/v1/price-book";
const put = (models: unknown, more: Record<string, unknown> = {}) => operator("PUT", PATH, { models, ...more });
const tokens = (input: number, output = 0, read = 0, write = 0) => ({
  usage: { input_tokens: input, output_tokens: output, cache_read_tokens: read, cache_write_tokens: write },
});

describe("the price book", () => {
  it("is built in with the models of the main providers, and any key can read it", async () => {
    const { createKey } = await newEnterprise();
    const { status, body } = await operator("GET", PATH);
    expect(status).toBe(200);
    expect(body).toMatchObject({ version: 1, credits_per_usd: 100 });
    for (const model of body.models) {
      expect(model).toMatchObject({
        id: expect.any(String),
        aliases: expect.any(Array),
        input: expect.stringMatching(/^\d+(\.\d{1,6})?$/),
        output: expect.stringMatching(/^\d+(\.\d{1,6})?$/),
      });
      // Without tiers, callers of the first release find the four rates that they know.
      const { tiers, cache_read, cache_write } = model;
      if (tiers === undefined) expect(Number(cache_read) + Number(cache_write)).toBeGreaterThanOrEqual(0);
    }
    const names = body.models.flatMap(({ id, aliases }: { id: string; aliases: string[] }) => [id, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
    for (const name of ["gpt-5", "claude-sonnet-4-5", "claude-opus-4-5", "gemini-2.5-pro", "deepseek-chat"]) {
      expect(names).toContain(name);
    }
    for (const scope of ["debit", "read", "admin"]) {
      const { send } = await createKey([scope]);
      expect((await send("GET", PATH)).body.version).toBe(1);
      expectProblem(await send("PUT", PATH, { models: [] }), 403, "scope_denied");
    }
    expectProblem(await senderWith(null)("GET", PATH), 401, "key_missing");
  });

  it("cannot be read with a revoked key", async () => {
    const { createKey, path } = await newEnterprise();
    const { id, send } = await createKey(["debit"]);
    expect((await send("GET", PATH)).status).toBe(200);
    expect((await operator("DELETE", `${path}/keys/${id}`)).status).toBe(204);
    expectProblem(await send("GET", PATH), 401, "key_revoked");
  });

  it("is not replaced if any entry is invalid", async () => {
    const before = (await operator("GET", PATH)).body;
    const entry = { id: "m", input: "1", output: "2" };
    for (const [models, path] of [
      [[], "models"],
      [{}, "models"],
      [undefined, "models"],
      [[{ ...entry, id: "a b" }], "models.0.id"],
      [[{ id: "m", output: "2" }], "models.0.input"],
      [[{ ...entry, input: 1 }], "models.0.input"],
      [[{ ...entry, output: "-1" }], "models.0.output"],
      [[{ ...entry, output: "1e3" }], "models.0.output"],
      [[{ ...entry, output: "" }], "models.0.output"],
      [[{ ...entry, output: "NaN" }], "models.0.output"],
      [[{ ...entry, cache_read: "0.1234567" }], "models.0.cache_read"],
      [[{ ...entry, cache_write: null }], "models.0.cache_write"],
      [[{ ...entry, aliases: "x" }], "models.0.aliases"],
      [[{ ...entry, aliases: ["x", "a b"] }], "models.0.aliases.1"],
      [[entry, entry], "models.1.id"],
      [[entry, { ...entry, id: "n", aliases: ["m"] }], "models.1.aliases.0"],
      [[{ ...entry, aliases: ["x", "x"] }], "models.0.aliases.1"],
      [[{ ...entry, currency: "EUR" }], "models.0.currency"],
    ] as [unknown, string][]) {
      expect(invalidPaths(await put(models))).toEqual([path]);
    }
    for (const credits of [0, -1, 1.5, "100", null]) {
      expect(invalidPaths(await put([entry], { credits_per_usd: credits }))).toEqual(["credits_per_usd"]);
    }
    expect((await operator("GET", PATH)).body).toEqual(before);
  });

  it("is replaced as a whole by the next version, and a missing cache rate is the input rate", async () => {
    const made = await put([
      { id: "m", aliases: ["m-latest"], input: "3", output: "15", cache_read: "0.3" },
      { id: "*", input: "1", output: "1" },
    ]);
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      version: 2,
      credits_per_usd: 100,
      models: [
        { id: "m", aliases: ["m-latest"], input: "3", output: "15", cache_read: "0.3", cache_write: "3" },
        { id: "*", aliases: [], input: "1", output: "1", cache_read: "1", cache_write: "1" },
      ],
    });
    expect((await operator("GET", PATH)).body).toEqual(made.body);
  });
});

describe("a meter's price", () => {
  it("stays as it was at the first report when the book changes", async () => {
    const { debit, receipt } = await newEnterprise();
    await put([{ id: "m", aliases: ["m-1"], input: "2", output: "0" }]);
    expect((await debit(report({ model: "m-1", ...tokens(100) }))).body.charged_micros).toBe(20_000);
    const { version } = (await put([{ id: "n", aliases: ["m-1"], input: "7", output: "0" }], { credits_per_usd: 1 }))
      .body;
    // The new book lacks the model, gives its alias to another one and has other credits per USD. This meter ignores it.
    expect((await debit(report({ model: "m-1", ...tokens(200) }))).body).toMatchObject({
      model: "m",
      charged_micros: 20_000,
    });
    expect((await debit(report({ model: "m", ...tokens(300) }))).body).toMatchObject({
      model: "m",
      charged_micros: 20_000,
    });
    expect((await debit(report({ run: "new", model: "m-1", ...tokens(200) }))).body).toMatchObject({
      model: "n",
      charged_micros: 1_400,
    });
    expect((await debit(report({ run: "new-too", model: "m", ...tokens(1) }))).body).toMatchObject({ priced: false });
    expect((await receipt("run-1")).meters).toMatchObject([
      {
        model: "m",
        price_book_version: version - 1,
        rates: { input: "2", output: "0", cache_read: "2", cache_write: "2" },
      },
    ]);
    expect((await receipt("new")).meters).toMatchObject([{ model: "n", price_book_version: version }]);
  });

  it("is the same under every alias of a model, on one meter, and answers name the canonical id", async () => {
    const { debit, gauge, receipt } = await newEnterprise();
    await put([{ id: "maker/model", aliases: ["model", "model:1"], input: "1", output: "1" }]);
    for (const model of ["model", "maker/model", "model:1"]) {
      expect((await debit(report({ model, ...tokens(100) }))).body).toMatchObject({ model: "maker/model" });
    }
    expect((await gauge()).used_micros).toBe(10_000);
    expect((await receipt("run-1")).models).toEqual(["maker/model"]);
  });

  it("is that of entry * if the book lacks the model, and none without that entry", async () => {
    const { debit, start: startRun, gauge } = await newEnterprise();
    await put([
      { id: "m", input: "1", output: "1" },
      { id: "*", input: "5", output: "5" },
    ]);
    expect((await debit(report({ model: "any/thing", ...tokens(10) }))).body).toMatchObject({
      model: "any/thing",
      charged_micros: 5_000,
    });
    expect((await debit(report({ model: "m", ...tokens(10) }))).body.charged_micros).toBe(1_000);
    expect((await startRun(start({ run: "s1", model: "any/thing" }))).status).toBe(201);
    await put([{ id: "m", input: "1", output: "1" }]);
    const before = await gauge();
    const waiting = await debit(report({ run: "r2", model: "other" }));
    expect(waiting).toMatchObject({ status: 200, body: { model: "other", priced: false, charged_micros: 0 } });
    expectProblem(await startRun(start({ run: "s2", model: "other" })), 422, "unknown_model");
    expect(await gauge()).toMatchObject({ used_micros: before.used_micros, available_micros: before.available_micros });
    expect((await debit(report({ model: "any/thing", ...tokens(20) }))).body.charged_micros).toBe(5_000);
  });

  it("gives an exact sum that is rounded up once, at any size", async () => {
    const rates = { input: "0.3", output: "0.3", cache_read: "0.3", cache_write: "0.3" };
    await put(
      [
        { id: "m", ...rates },
        { id: "tiny", input: "0.000001", output: "0" },
        { id: "big", input: "9007.199254", output: "0" },
      ],
      { credits_per_usd: 1 },
    );
    const { debit } = await newEnterprise();
    // Four times 0.3 is 1.2, rounded up to 2. Rounding each part would give 4.
    expect((await debit(report({ run: "a", model: "m", ...tokens(1, 1, 1, 1) }))).body.charged_micros).toBe(2);
    expect((await debit(report({ run: "b", model: "tiny", ...tokens(1) }))).body.charged_micros).toBe(1);
    expect((await debit(report({ run: "b", model: "tiny", ...tokens(1_000_000) }))).body.charged_micros).toBe(0);
    expect((await debit(report({ run: "b", model: "tiny", ...tokens(1_000_001) }))).body.charged_micros).toBe(1);
    expect((await debit(report({ run: "c", model: "big", ...tokens(999_999_999_999) }))).body.charged_micros).toBe(
      Number((999_999_999_999n * 9_007_199_254n + 999_999n) / 1_000_000n),
    );
    const byom = await newEnterprise({ billing_model: "byom" });
    expect((await byom.debit(report({ model: "m", ...tokens(1, 1, 1, 1) }))).body).toMatchObject({
      charged_micros: 2,
      unit: "usd",
    });
  });
});

it("renews the prices again if the request that was renewing them was cut off", async () => {
  await put([{ id: "gpt-5", input: "1.25", output: "10" }]);
  const ctx = { waitUntil: () => {} };
  // The promises of a request that was cut off never settle.
  const cutOff = {
    ...env,
    CATALOG: { getByName: () => ({ bookSince: () => new Promise(() => {}) }) },
  } as unknown as Env;
  await currentPrices(env, ctx);
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    vi.setSystemTime(Date.now() + 21_000);
    await currentPrices(cutOff, ctx);
    vi.setSystemTime(Date.now() + 10_000);
    expect((await currentPrices(env, ctx)).find("gpt-5").price).not.toBeNull();
  } finally {
    vi.useRealTimers();
  }
});

it("answers 200 concurrent debits while the prices are renewed", async () => {
  const { path, createKey } = await newEnterprise();
  const { send } = await createKey(["debit"]);
  await put([{ id: "gpt-5", input: "1.25", output: "10" }]);
  const debit = (run: number) => send("POST", `${path}/debits`, report({ run: `r${run}` }));
  await debit(0);
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    // At 21 s the prices are renewed in the background, at 31 s they are too old to be used.
    for (const ageMs of [21_000, 31_000]) {
      vi.setSystemTime(Date.now() + ageMs);
      const answers = await Promise.all(Array.from({ length: 200 }, (_, run) => debit(run)));
      expect([...new Set(answers.map(({ status }) => status))]).toEqual([200]);
    }
  } finally {
    vi.useRealTimers();
  }
});
