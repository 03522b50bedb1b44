/**
 * GET …/entries lists the journal, newest first, from the enterprise's Durable Object. Debits are not in the journal.
 */
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { type EntryJson, isEntry } from "../wire/entry.ts";
import { FROM_NEWEST } from "../wire/paging.ts";
import { formatIso } from "../wire/time.ts";
import { encodeCursor, listOf, listQuery, pageOf } from "./listing.ts";
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
      summary: "List the journal's entries, newest first",
      details:
        "The journal records everything that happens to the balance, except debits. Besides `seq`, `at`, `by` and `type`, an entry has the fields of its type.",
      tag: "Readers",
      access: { scope: "read", session: true, operatorScopes: ["metrics"] },
      answers: { 200: { description: "A page of entries", schema: listOf(entrySchema) } },
    }),
    request: { params: inEnterprise, query: listQuery(50, "number") },
  }),
  async (c) => {
    const { limit, cursor: [beforeSeq] = [FROM_NEWEST] } = c.req.valid("query");
    const entries = await enterpriseStub(c.env, c.var.address).entries(c.var.caller, beforeSeq, limit);
    if (isRefusal(entries)) return refused(c, entries.refusal);
    const page = pageOf(entries.filter(isEntry), limit, ({ seq }) => [seq], showEntry);
    // The entries of one person are searched for in a part of the journal at a time.
    const last = entries.at(-1);
    const rest = last === undefined || isEntry(last) ? null : encodeCursor([last.readToSeq]);
    return c.json({ ...page, next_cursor: page.next_cursor ?? rest });
  },
);

function showEntry({ seq, atMs, by, facts }: EntryJson) {
  return { seq, at: formatIso(atMs), by, ...facts };
}
