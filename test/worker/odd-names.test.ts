// Names that every JavaScript object has, such as `constructor`, and `__proto__`, which sets an object's prototype.
import { expect, it } from "vitest";
import { invalidPaths, newEnterprise, operator, report } from "./api.ts";

it("refuses a tier __proto__ in an override, too, and changes nothing", async () => {
  const { path } = await newEnterprise();
  const raw = '{"models":[{"id":"m","input":"1","output":"1","tiers":{"batch":{},"__proto__":{"input":"1"}}}]}';
  expect(invalidPaths(await operator("PUT", `${path}/price-overrides`, raw))).toEqual(["models.0.tiers.__proto__"]);
  expect((await operator("GET", `${path}/price-overrides`)).body).toEqual({ models: [] });
});

it("takes names that every object has for ordinary ones", async () => {
  const e = await newEnterprise();
  const usage = { input_tokens: 1_000, output_tokens: 0 };
  const tiers = { constructor: { input: "4" }, prototype: { input: "5" } };
  const models = ["__proto__", "constructor", "prototype"].map((id) => ({
    id,
    aliases: [],
    input: "1",
    output: "1",
  }));
  const put = await operator("PUT", `${e.path}/price-overrides`, {
    models: [...models, { id: "m", aliases: ["valueOf"], input: "1", output: "1", tiers }],
  });
  expect(put.body.models.at(-1).tiers).toEqual(tiers);
  const charged = async (model: string, tier = "standard") => {
    const names = { workspace: model, user: model, group: model };
    const run = `${model}.${tier}`;
    return (await e.debit(report({ run, model, tier, usage, ...names }))).body.charged_micros;
  };
  expect(await charged("m", "constructor")).toBe(400_000);
  expect(await charged("m", "prototype")).toBe(500_000);
  for (const model of ["__proto__", "constructor", "prototype", "valueOf"]) {
    // These models have no tiers, so each tier is priced at standard.
    for (const tier of ["standard", "constructor"]) {
      expect([model, tier, await charged(model, tier)]).toEqual([
        model,
        tier,
        model === "valueOf" && tier !== "standard" ? 400_000 : 100_000,
      ]);
    }
  }
  expect((await e.gauge()).used_micros).toBe(2_000_000);
  expect((await e.receipt("__proto__.constructor")).meters[0]).toMatchObject({
    model: "__proto__",
    charged_micros: 100_000,
  });
  expect((await operator("GET", `${e.path}/audit`)).body.ok).toBe(true);
  const top = (await operator("GET", `${e.path}/usage/top/models`)).body.rows;
  expect(top.map((row: { id: string; amount_micros: number }) => [row.id, row.amount_micros]).sort()).toEqual([
    ["__proto__", 200_000],
    ["constructor", 200_000],
    ["m", 1_400_000],
    ["prototype", 200_000],
  ]);
  for (const dimension of ["workspaces", "groups", "users"]) {
    const rows = (await operator("GET", `${e.path}/usage/top/${dimension}`)).body.rows;
    expect(rows.map(({ id }: { id: string }) => id).sort()).toEqual([
      "__proto__",
      "constructor",
      "m",
      "prototype",
      "valueOf",
    ]);
  }
});
