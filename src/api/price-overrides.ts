/** The routes for the price overrides of an enterprise: entries that replace or add to those of the price book. */
import { byOf } from "../access/callers.ts";
import type { ModelPrice } from "../catalog/price-entry.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { entrySchema, findDuplicates, shownEntrySchema } from "../wire/price-schema.ts";
import { invalid, refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const MAX_OVERRIDES = 1_000;

const putSchema = z.strictObject({ models: z.array(entrySchema).max(MAX_OVERRIDES) }).openapi("PriceOverrides");
const answers = {
  200: { description: "The overrides in force", schema: z.object({ models: z.array(shownEntrySchema) }) },
};
const access = { scope: "operator", operatorScopes: ["prices"] } as const;

export const priceOverrideRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "put",
        path: "/v1/enterprises/{e}/price-overrides",
        name: "putPriceOverrides",
        summary: "Replace the price overrides of an enterprise",
        details:
          "Sets the whole list; an empty list removes all overrides. An entry with the id of an entry of the price book replaces that entry for this enterprise, under all of its names. Other entries are added. Overrides apply to meters that are first priced afterwards.",
        tag: "Operator",
        access,
        answers,
        refusals: ["not_found"],
      }),
      request: {
        params: inEnterprise,
        body: body(putSchema, { models: [{ id: "gpt-5", input: "1", output: "8" }] }),
      },
    }),
    async (c) => {
      const { models } = c.req.valid("json");
      const duplicates = findDuplicates(models);
      if (duplicates.length > 0) return invalid(c, duplicates);
      const put = await enterpriseStub(c.env, c.var.address).putOverrides(models as ModelPrice[], byOf(c.var.caller));
      return isRefusal(put) ? refused(c, put.refusal) : c.json({ models: put.models });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/price-overrides",
        name: "readPriceOverrides",
        summary: "Read the price overrides of an enterprise",
        tag: "Operator",
        access,
        answers,
        refusals: ["not_found"],
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const read = await enterpriseStub(c.env, c.var.address).pricing(c.var.caller);
      return isRefusal(read) ? refused(c, read.refusal) : c.json({ models: read.models });
    },
  );
