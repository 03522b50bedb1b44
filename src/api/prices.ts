/** The routes for the price book. Any key may read it. Only the operator may replace it, and only as a whole. */

import type { Context } from "hono";
import { adoptBook, currentPrices } from "../catalog/current-prices.ts";
import { catalogOf } from "../catalog/object.ts";
import { parseRate } from "../ledger/prices.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { id } from "../wire/fields.ts";
import { invalid, refused } from "./problem.ts";
import { body, createRoute, declare, newRouter, z } from "./route.ts";

const rate = z
  .string()
  .refine(
    (text) => parseRate(text) !== null,
    'must be a decimal string of up to 7 digits and 6 decimals such as "0.075"',
  )
  .openapi({ type: "string", example: "0.075" });

const MAX_MODELS = 5_000;

const modelName = z.union([z.literal("*"), id]);

const modelSchema = z.strictObject({
  id: modelName,
  aliases: z.array(id).max(100).default([]),
  input: rate,
  output: rate,
  cache_read: rate.optional(),
  cache_write: rate.optional(),
});

const newBookSchema = z
  .strictObject({
    credits_per_usd: z.int().min(1).max(1_000_000).default(100),
    models: z.array(modelSchema).min(1).max(MAX_MODELS),
  })
  .openapi("NewPriceBook");

const bookSchema = z
  .object({
    version: z.int(),
    credits_per_usd: z.int(),
    models: z.array(
      z.object({
        id: z.string(),
        aliases: z.array(z.string()),
        input: z.string(),
        output: z.string(),
        cache_read: z.string(),
        cache_write: z.string(),
      }),
    ),
  })
  .openapi("PriceBook");

export const priceRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/price-book",
        name: "readPriceBook",
        summary: "Read the current price book",
        details: "Every key may read it.",
        tag: "Operator",
        access: { scope: "any", session: true },
        answers: { 200: { description: "The price book", schema: bookSchema } },
      }),
    }),
    async (c) => {
      // Only the enterprise's Durable Object knows whether the key was revoked or the session was ended.
      const checked =
        c.var.caller.kind !== "operator" ? await enterpriseStub(c.env, c.var.enterprise).gauge(c.var.caller) : null;
      if (checked !== null && isRefusal(checked)) return refused(c, checked.refusal);
      return c.json((await currentPrices(c.env, c.executionCtx)).book);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "put",
        path: "/v1/price-book",
        name: "putPriceBook",
        summary: "Replace the price book",
        details:
          "The new book prices the meters that start afterwards. It is in force everywhere within 30 seconds. An omitted cache rate equals the input rate. An entry with the id `*` prices every model that the book does not name.",
        tag: "Operator",
        access: { scope: "operator" },
        answers: { 201: { description: "The new version", schema: bookSchema } },
      }),
      request: {
        body: body(newBookSchema, {
          credits_per_usd: 100,
          models: [{ id: "claude-sonnet-4-6", input: "3", output: "15", cache_read: "0.3", cache_write: "3.75" }],
        }),
      },
    }),
    async (c) => {
      const { credits_per_usd, models } = c.req.valid("json");
      const duplicate = findDuplicate(models);
      if (duplicate !== null) return duplicateName(c, duplicate);
      const complete = models.map((model) => ({
        ...model,
        cache_read: model.cache_read ?? model.input,
        cache_write: model.cache_write ?? model.input,
      }));
      const book = await catalogOf(c.env).addBook(credits_per_usd, complete);
      adoptBook(book);
      return c.json(book, 201);
    },
  );

/** Returns the first name that appears twice, with the path of its second appearance; null if all names are unique. */
function findDuplicate(models: readonly { id: string; aliases: string[] }[]): { path: string; name: string } | null {
  const seen = new Set<string>();
  for (const [i, model] of models.entries()) {
    for (const [place, name] of [
      ["id", model.id],
      ...model.aliases.map((alias, k) => [`aliases.${k}`, alias]),
    ] as const) {
      if (seen.has(name as string)) return { path: `models.${i}.${place}`, name: name as string };
      seen.add(name as string);
    }
  }
  return null;
}

function duplicateName(c: Context, { path, name }: { path: string; name: string }): Response {
  return invalid(c, [{ path, message: `"${name}" already names a model` }]);
}
