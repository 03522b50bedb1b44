/**
 * The routes for the price book. Any key may read it, and the price of one model by any of its names. Only the operator
 * may change it: replace it as a whole, or single entries. Every change makes a new version.
 */
import type { Context } from "hono";
import { byOf, OPERATOR_SCOPES } from "../access/callers.ts";
import { findAddress } from "../catalog/addresses.ts";
import { adoptBook, currentPrices } from "../catalog/current-prices.ts";
import { catalogOf } from "../catalog/object.ts";
import type { PriceBook } from "../catalog/price-book.ts";
import { type ModelPrice, showCacheRates } from "../catalog/price-entry.ts";
import { type BookChange, MAX_MODELS } from "../catalog/price-versions.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { modelPrice } from "../operations/model-price.ts";
import { id } from "../wire/fields.ts";
import { FROM_NEWEST } from "../wire/paging.ts";
import { entrySchema, FILLED_ENTRY, findDuplicates, modelName, shownEntrySchema } from "../wire/price-schema.ts";
import { problemOfRefusal, sendProblem } from "../wire/problems.ts";
import { formatIsoOrNull } from "../wire/time.ts";
import type { Access, ApiEnv } from "./auth.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { invalid, problem, refused } from "./problem.ts";
import { body, createRoute, declare, newRouter, z } from "./route.ts";

const creditsPerUsd = z.int().min(1).max(1_000_000);
const lock = z
  .int()
  .min(1)
  .optional()
  .describe("The version that you changed. If it is no longer the current one, the request is refused");

const newBookSchema = z
  .strictObject({
    version: lock,
    credits_per_usd: creditsPerUsd.default(100),
    models: z.array(entrySchema).min(1).max(MAX_MODELS),
  })
  .openapi("NewPriceBook");

const patchSchema = z
  .strictObject({
    version: lock,
    credits_per_usd: creditsPerUsd.optional(),
    models: z
      .array(entrySchema)
      .max(MAX_MODELS)
      .optional()
      .describe("Entries to add, or to put in place of those with the same id"),
    remove: z.array(modelName).max(MAX_MODELS).optional().describe("Ids of entries to remove"),
  })
  .refine(
    ({ credits_per_usd, models = [], remove = [] }) =>
      credits_per_usd !== undefined || models.length + remove.length > 0,
    "must change something: send models, remove or credits_per_usd",
  )
  .openapi("PriceBookPatch");

const bookSchema = z
  .object({ version: z.int(), credits_per_usd: z.int(), models: z.array(shownEntrySchema) })
  .openapi("PriceBook");

const versionSchema = z
  .object({
    version: z.int(),
    created_at: z.iso.datetime().nullable(),
    by: z.string().nullable(),
    added: z.int().nullable(),
    changed: z.int().nullable(),
    removed: z.int().nullable(),
  })
  .openapi("PriceBookVersion");

const modelSchema = z
  .object({
    name: z.string().describe("The name that you asked for"),
    id: z.string().describe("The id of the model, under which it is metered"),
    source: z.enum(["override", "book", "fallback"]),
    version: z.int(),
    credits_per_usd: z.int(),
    price_multiplier: z.string(),
    ...FILLED_ENTRY,
  })
  .openapi("FilledModelPrice");

const anybody: Access = { scope: "any", session: true, operatorScopes: OPERATOR_SCOPES };
const newVersion = { 201: { description: "The new version", schema: bookSchema } };

export const priceRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/price-book",
        name: "readPriceBook",
        summary: "Read the price book",
        details:
          "Every key may read it. You can send the response back with `PUT /v1/price-book`. An entry lists only the rates that it has; `GET /v1/price-book/models/{name}` fills in all of them. `?version=` reads an older version.",
        tag: "Operator",
        access: anybody,
        answers: { 200: { description: "The price book", schema: bookSchema } },
        refusals: ["not_found", "validation_failed"],
      }),
      request: { query: z.strictObject({ version: z.coerce.number().pipe(z.int().min(1)).optional() }) },
    }),
    async (c) => {
      const refusal = await refusalOfCaller(c);
      if (refusal !== null) return refusal;
      const { book } = await currentPrices(c.env, c.executionCtx);
      const { version = book.version } = c.req.valid("query");
      const asked = version === book.version ? book : await catalogOf(c.env).bookAt(version);
      return asked === null ? problem(c, "not_found") : c.json(showBook(asked));
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
          "Replaces the whole book: entries that you leave out are gone. To change single entries, use PATCH. The new book prices the meters that are first priced afterwards. It is in force everywhere within 30 seconds. An entry with the id `*` prices every model that the book does not name.",
        tag: "Operator",
        access: { scope: "operator", operatorScopes: ["prices"] },
        answers: newVersion,
        refusals: ["price_book_conflict"],
      }),
      request: {
        body: body(newBookSchema, {
          credits_per_usd: 100,
          models: [{ id: "claude-sonnet-4-6", input: "3", output: "15", cache_read: "0.3", cache_write: "3.75" }],
        }),
      },
    }),
    async (c) => {
      const { version, credits_per_usd, models } = c.req.valid("json");
      return change(c, {
        models: models as ModelPrice[],
        remove: "all",
        creditsPerUsd: credits_per_usd,
        knownVersion: version ?? null,
        by: byOf(c.var.caller),
      });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "patch",
        path: "/v1/price-book",
        name: "patchPriceBook",
        summary: "Add, replace or remove entries of the price book",
        details:
          "An entry of `models` replaces the entry with the same id as a whole, or is added. All other entries stay. The response is the whole new book.",
        tag: "Operator",
        access: { scope: "operator", operatorScopes: ["prices"] },
        answers: newVersion,
        refusals: ["price_book_conflict"],
      }),
      request: {
        body: body(patchSchema, {
          models: [{ id: "example-model-1", aliases: ["example-model-latest"], input: "2", output: "8" }],
        }),
      },
    }),
    async (c) => {
      const { version, credits_per_usd, models = [], remove = [] } = c.req.valid("json");
      return change(c, {
        models: models as ModelPrice[],
        remove,
        creditsPerUsd: credits_per_usd ?? null,
        knownVersion: version ?? null,
        by: byOf(c.var.caller),
      });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/price-book/versions",
        name: "listPriceBookVersions",
        summary: "List the versions of the price book, newest first",
        details:
          "`added`, `changed` and `removed` count entries, compared with the version before. `by` is `built-in` for prices that came with a release. The fields are null for versions made before Fuelgauge recorded them.",
        tag: "Operator",
        access: anybody,
        answers: { 200: { description: "A page of versions", schema: listOf(versionSchema) } },
        refusals: ["validation_failed"],
      }),
      request: { query: listQuery(20, "number") },
    }),
    async (c) => {
      const refusal = await refusalOfCaller(c);
      if (refusal !== null) return refusal;
      const { limit, cursor: [before] = [FROM_NEWEST] } = c.req.valid("query");
      const versions = await catalogOf(c.env).priceVersions(before, limit + 1);
      const show = ({ version, createdAtMs, by, added, changed, removed }: (typeof versions)[number]) => {
        return { version, created_at: formatIsoOrNull(createdAtMs), by, added, changed, removed };
      };
      return c.json(pageOf(versions, limit, ({ version }) => [version], show));
    },
  );

priceRoutes.openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/v1/price-book/models/{name}",
      name: "readModelPrice",
      summary: "Find the price of a model by any of its names",
      details:
        "The name may be an id, an alias, or a spelling of a router or a cloud, such as `us.anthropic.claude-sonnet-4-6` or `openai/gpt-5`. Percent-encode a `/` in it. The response has every rate filled in, with the overrides and the multiplier of the caller's enterprise. The operator names an enterprise with `?enterprise=`. `source` is `fallback` if only the entry `*` prices the model.",
      tag: "Operator",
      access: anybody,
      answers: { 200: { description: "The price in force", schema: modelSchema } },
      refusals: ["unknown_model", "not_found", "validation_failed"],
    }),
    request: {
      params: z.object({ name: id.openapi({ example: "gpt-5", param: { name: "name", in: "path" } }) }),
      query: z.strictObject({ enterprise: id.optional().describe("Only the operator may name another enterprise") }),
    },
  }),
  async (c) => {
    const { caller } = c.var;
    const { name } = c.req.valid("param");
    const asked = c.req.valid("query").enterprise;
    const isOperator = caller.kind === "operator";
    if (!isOperator && asked !== undefined && asked !== c.var.enterprise) return problem(c, "not_found");
    const address = isOperator ? asked && (await findAddress(c.env, asked)) : c.var.address;
    if (address === null) return problem(c, "not_found");
    const found = await modelPrice(c.env, c.executionCtx, { name, address: address || null, caller });
    // Elsewhere this code refuses a request that names the model. Here the model itself is what was asked for.
    if (found === null) {
      return sendProblem(c, { ...problemOfRefusal({ code: "unknown_model", model: name }), status: 404 });
    }
    return isRefusal(found) ? refused(c, found.refusal) : c.json(found);
  },
);

/** Only the enterprise's Durable Object knows whether a key was revoked or a session was ended, so this calls it. */
async function refusalOfCaller(c: Context<ApiEnv>): Promise<Response | null> {
  if (c.var.caller.kind === "operator") return null;
  const checked = await enterpriseStub(c.env, c.var.address).gauge(c.var.caller);
  return typeof checked !== "string" && isRefusal(checked) ? refused(c, checked.refusal) : null;
}

async function change(c: Context<ApiEnv>, asked: BookChange) {
  const duplicates = findDuplicates(asked.models);
  if (duplicates.length > 0) return invalid(c, duplicates);
  const changed = await catalogOf(c.env).changeBook(asked);
  if ("conflict" in changed) return problem(c, "price_book_conflict");
  if ("errors" in changed) return invalid(c, changed.errors);
  adoptBook(changed);
  return c.json(showBook(changed), 201);
}

function showBook({ version, credits_per_usd, models }: PriceBook) {
  return { version, credits_per_usd, models: models.map(showCacheRates) };
}
