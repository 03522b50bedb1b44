/** The versions of the price book, changes of single entries, and the price of one model by any of its names. */
import { describe, expect, it } from "vitest";
import { expectProblem, newEnterprise, operator, report, senderWith } from "./api.ts";
import { sessionCookie } from "./sessions.ts";

const PATH = "/v1/price-book";
const ENTRY = { id: "m-1", aliases: ["m-one"], input: "2", output: "8" };
const get = async () => (await operator("GET", PATH)).body;
const ids = ({ models }: { models: { id: string }[] }) => models.map(({ id }) => id);
const price = (name: string, query = "") => operator("GET", `${PATH}/models/${encodeURIComponent(name)}${query}`);

describe("a change of single entries", () => {
  it("adds, replaces and removes entries, and leaves all others as they are", async () => {
    const before = await get();
    const added = await operator("PATCH", PATH, { models: [ENTRY] });
    expect(added.status).toBe(201);
    expect(added.body.version).toBe(before.version + 1);
    expect(ids(added.body)).toEqual([...ids(before), "m-1"]);
    expect(added.body.models.slice(0, -1)).toEqual(before.models);
    expect(added.body.models.at(-1)).toEqual({ ...ENTRY, cache_read: "2", cache_write: "2" });
    const replaced = await operator("PATCH", PATH, { models: [{ ...ENTRY, input: "3" }], credits_per_usd: 50 });
    expect(replaced.body).toMatchObject({ version: before.version + 2, credits_per_usd: 50 });
    expect(replaced.body.models.at(-1).input).toBe("3");
    const removed = await operator("PATCH", PATH, { remove: ["m-1"], credits_per_usd: 100 });
    expect(removed.body.models).toEqual(before.models);
  });

  it("is refused, with the path of each fault, and changes nothing", async () => {
    const before = await get();
    const faults: [unknown, string][] = [
      [{ remove: ["unheard-of"] }, "remove.0"],
      [{ models: [ENTRY, ENTRY] }, "models.1.id"],
      [{ models: [{ ...ENTRY, aliases: ["gpt-5"] }] }, "models.0.aliases.0"],
      [{ models: [{ ...ENTRY, tiers: { standard: {} } }] }, "models.0.tiers.standard"],
      [{ models: [{ ...ENTRY, tiers: { "Not ok": {} } }] }, "models.0.tiers.Not ok"],
      // As in a literal, this key would set the prototype.
      [{ models: [{ ...ENTRY, tiers: JSON.parse('{"__proto__":{"input":"1"}}') }] }, "models.0.tiers.__proto__"],
      [{ models: [{ ...ENTRY, tiers: { batch: { input: "x" } } }] }, "models.0.tiers.batch.input"],
      [{ models: [{ ...ENTRY, tiers: { batch: { rate: "1" } } }] }, "models.0.tiers.batch.rate"],
      [{ models: [{ ...ENTRY, web_searches: -1 }] }, "models.0.web_searches"],
      [{ remove: ids(before) }, "remove"],
    ];
    for (const [sent, path] of faults) {
      const answer = await operator("PATCH", PATH, sent);
      expectProblem(answer, 422, "validation_failed");
      expect(answer.body.errors.map((error: { path: string }) => error.path)).toContain(path);
    }
    expect(await get()).toEqual(before);
  });

  it("is refused if another version is current, and so is a PUT", async () => {
    const { version } = await get();
    expectProblem(
      await operator("PATCH", PATH, { version: version - 1 || 99, models: [ENTRY] }),
      409,
      "price_book_conflict",
    );
    expectProblem(await operator("PUT", PATH, { version: version + 1, models: [ENTRY] }), 409, "price_book_conflict");
    expect((await get()).version).toBe(version);
    expect((await operator("PATCH", PATH, { version, models: [ENTRY] })).status).toBe(201);
  });
});

describe("the versions of the book", () => {
  it("can be read as they were, and the current one can be sent back unchanged", async () => {
    const before = await get();
    expect((await operator("PUT", PATH, before)).body).toEqual({ ...before, version: before.version + 1 });
    await operator("PUT", PATH, {
      credits_per_usd: 7,
      models: [
        { ...ENTRY, tiers: { batch: { input: "1" } } },
        { id: "*", input: "1", output: "1" },
      ],
    });
    const small = await get();
    expect(ids(small)).toEqual(["m-1", "*"]);
    expect(small.models[0]).toEqual({ ...ENTRY, tiers: { batch: { input: "1" } } });
    await operator("PATCH", PATH, { models: [{ ...ENTRY, id: "m-2", aliases: [] }] });
    expect((await operator("GET", `${PATH}?version=${small.version}`)).body).toEqual(small);
    expect((await operator("GET", `${PATH}?version=${before.version}`)).body).toEqual(before);
    expectProblem(await operator("GET", `${PATH}?version=9999`), 404, "not_found");
    await operator("PUT", PATH, { models: before.models });
    const { rows } = (await operator("GET", `${PATH}/versions?limit=4`)).body;
    const all = before.models.length;
    expect(rows).toMatchObject([
      { version: small.version + 2, by: "operator", added: all - 1, changed: 1, removed: 2 },
      { version: small.version + 1, added: 1, changed: 0, removed: 0 },
      { version: small.version, added: 1, changed: 1, removed: all - 1 },
      { version: small.version - 1, added: 0, changed: 0, removed: 0 },
    ]);
    expect(Date.parse(rows[0].created_at)).toBeGreaterThan(Date.now() - 60_000);
  });

  it("begin with the prices that came with the release", async () => {
    const { rows } = (await operator("GET", `${PATH}/versions?limit=100`)).body;
    expect(rows.at(-1)).toMatchObject({ version: 1, by: "built-in", changed: 0, removed: 0 });
  });

  it("stay right through hundreds of small changes", async () => {
    const { version, models } = await get();
    for (let i = 1; i <= 250; i++) {
      await operator("PATCH", PATH, { models: [{ ...ENTRY, aliases: [], id: `many-${i % 7}`, input: String(i) }] });
    }
    const at = async (k: number) => (await operator("GET", `${PATH}?version=${version + k}`)).body.models.at(-1);
    expect((await operator("GET", `${PATH}?version=${version}`)).body.models).toEqual(models);
    expect(await at(1)).toMatchObject({ id: "many-1", input: "1" });
    expect((await operator("GET", `${PATH}?version=${version + 200}`)).body.models).toHaveLength(models.length + 7);
    const last = await get();
    expect(last.models.find(({ id }: { id: string }) => id === "many-5").input).toBe("250");
  });
});

describe("the price of one model", () => {
  it("is found under every spelling, with every rate filled in", async () => {
    expect((await price("openai/gpt-5-mini")).body).toMatchObject({
      name: "openai/gpt-5-mini",
      id: "gpt-5-mini",
      source: "book",
    });
    expect((await price("gpt-5.4")).body).toMatchObject({
      cache_write: "2.5",
      input_audio: "2.5",
      web_searches: "10",
      tiers: { above_271999: { above_input_tokens: 271_999, input: "5", cache_write: "5", output_image: "22.5" } },
      price_multiplier: "1",
    });
    expectProblem(await price("unheard-of"), 404, "unknown_model");
  });

  it("is 422 for what cannot be a name", async () => {
    expectProblem(await price("a b"), 422, "validation_failed");
  });

  it("has the overrides and the multiplier of the caller's enterprise", async () => {
    const { id, path, createKey, debit, receipt } = await newEnterprise({ price_multiplier: "1.5" });
    expect((await operator("GET", `${path}/price-overrides`)).body).toEqual({ models: [] });
    const own = { id: "gpt-5", aliases: ["house-model"], input: "1", output: "4", tiers: { batch: { input: "0.5" } } };
    expect((await operator("PUT", `${path}/price-overrides`, { models: [own] })).body).toEqual({ models: [own] });
    const { send } = await createKey(["read"]);
    const read = (await send("GET", `${PATH}/models/${encodeURIComponent("azure/gpt-5")}`)).body;
    expect(read).toMatchObject({
      id: "gpt-5",
      source: "override",
      price_multiplier: "1.5",
      input: "1",
      cache_read: "1",
    });
    expect((await price("gpt-5", `?enterprise=${id}`)).body).toEqual({ ...read, name: "gpt-5" });
    expect((await price("gpt-5")).body).toMatchObject({ source: "book", price_multiplier: "1" });
    expectProblem(await send("GET", `${PATH}/models/gpt-5?enterprise=another`), 404, "not_found");
    // 1 USD a million · 100 credits · 1.5.
    for (const [run, model] of [
      ["r1", "gpt-5-2025-08-07"],
      ["r2", "house-model"],
    ] as const) {
      const usage = { input_tokens: 1_000, output_tokens: 0 };
      expect((await debit(report({ run, model, usage }))).body).toMatchObject({
        model: "gpt-5",
        charged_micros: 150_000,
      });
    }
    expect((await receipt("r1")).meters[0].rates).toMatchObject({ input: "1", output: "4" });
    await operator("PUT", path, { price_multiplier: "0" });
    expect(
      (await debit(report({ run: "r3", model: "gpt-5", usage: { input_tokens: 9, output_tokens: 0 } }))).body
        .charged_micros,
    ).toBe(0);
    expect(
      (await debit(report({ run: "r1", model: "gpt-5", usage: { input_tokens: 2_000, output_tokens: 0 } }))).body
        .charged_micros,
    ).toBe(150_000);
    const { rows } = (await operator("GET", `${path}/entries`)).body;
    expect(rows).toMatchObject([
      { type: "price_changed", from_multiplier: "1.5", to_multiplier: "0", by: "operator" },
      { type: "price_changed", overrides_added: 1, overrides_changed: 0, overrides_removed: 0 },
      { type: "cycle_started" },
    ]);
    await operator("PUT", path, { price_multiplier: null });
    expect((await operator("GET", path)).body.price_multiplier).toBe("1");
  });

  it("lets an override price what the book does not know, and a run may start with it", async () => {
    const { path, debit, start, createKey } = await newEnterprise();
    await operator("PUT", `${path}/price-overrides`, { models: [{ id: "house", input: "3", output: "3" }] });
    expect(
      (await debit(report({ run: "r1", model: "vertex_ai/house", usage: { input_tokens: 10, output_tokens: 0 } })))
        .body,
    ).toMatchObject({ model: "house", charged_micros: 3_000 });
    const { send } = await createKey(["debit"]);
    const started = await send("POST", `${path}/runs`, {
      run: "r2",
      surface: "web",
      workspace: "w",
      user: "u",
      model: "house",
    });
    expect(started.status).toBe(201);
    expect(start).toBeDefined();
  });

  it("refuses overrides and multipliers that are not valid", async () => {
    const { path } = await newEnterprise();
    for (const value of ["-1", "1000.1", "1.0000001", "x", "", 2]) {
      const answer = await operator("PUT", path, { price_multiplier: value });
      expectProblem(answer, 422, "validation_failed");
      expect(answer.body.errors[0].path).toBe("price_multiplier");
    }
    const twice = await operator("PUT", `${path}/price-overrides`, { models: [ENTRY, ENTRY] });
    expect(twice.body.errors.map((error: { path: string }) => error.path)).toEqual([
      "models.1.id",
      "models.1.aliases.0",
    ]);
    expectProblem(await operator("GET", "/v1/enterprises/nobody-here/price-overrides"), 404, "not_found");
  });
});

it("shows people every kind, tier, override and the multiplier in force", async () => {
  const { path, id } = await newEnterprise({ price_multiplier: "2" });
  await operator("PUT", "/v1/price-book", {
    models: [
      {
        id: "m-long",
        input: "2",
        output: "8",
        cache_write_1h: "4",
        web_searches: "10",
        tiers: { above_1000: { above_input_tokens: 1_000, input: "5" } },
      },
    ],
  });
  await operator("PUT", `${path}/price-overrides`, { models: [{ id: "m-own", input: "1", output: "1" }] });
  const headers = await sessionCookie(id);
  const page = (await senderWith(null)("GET", "/settings/model?models=all", undefined, { headers })).text;
  expect(page).toContain("multiplied by 2");
  expect(page).toContain("price of this enterprise");
  expect(page).toContain("1-hour cache write 0.8 per 1,000 ($4.00 per million)");
  expect(page).toContain("web searches 2 each ($10.00 per 1,000)");
  expect(page).toContain("prompts above 1,000 tokens (above_1000)");
});
