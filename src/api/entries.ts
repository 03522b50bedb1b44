/**
 * GET …/entries: the journal of everything but debits, newest first, from the object itself.
 */
import { MAX_MICROS } from "../ledger/micros.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { formatIso } from "../wire/time.ts";
import { cursorOf, limit, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const entrySchema = z
  .looseObject({ seq: z.int(), at: z.iso.datetime(), by: z.string(), type: z.string() })
  .openapi("Entry");

export const entryRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/v1/enterprises/{e}/entries",
      name: "listEntries",
      summary: "The journal, newest first",
      details: "Everything but debits. Beside `seq`, `at`, `by` and `type` an entry has the members of its type.",
      tag: "Readers",
      access: { scope: "read", session: true },
      answers: {
        200: {
          description: "A page of entries",
          schema: z.object({ rows: z.array(entrySchema), next_cursor: z.string().nullable() }),
        },
      },
    }),
    request: {
      params: inEnterprise,
      query: z.strictObject({ limit: limit.default(50), cursor: cursorOf("number").optional() }),
    },
  }),
  async (c) => {
    const { limit: rows, cursor } = c.req.valid("query");
    const entries = await enterpriseStub(c.env, c.var.enterprise).entries(
      c.var.caller,
      Number(cursor?.[0] ?? MAX_MICROS),
      rows,
    );
    if (isRefusal(entries)) return refused(c, entries.refusal);
    return c.json(
      pageOf(
        entries,
        rows,
        ({ seq, atMs, by, facts }) => ({ seq, at: formatIso(atMs), by, ...facts }),
        ({ seq }) => [seq],
      ),
    );
  },
);
