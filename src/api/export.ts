/** GET …/export gives the operator all runs, entries or usage of an enterprise as NDJSON, in pages that can be resumed. */
import { isRefusal } from "../ledger/refusals.ts";
import { exportRows } from "../operations/export.ts";
import { decodeExportCursor, EXPORT_KINDS } from "../wire/export.ts";
import { invalid, refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const MAX_ROWS = 10_000;

const querySchema = z.strictObject({
  kind: z.enum(EXPORT_KINDS).openapi({ example: "runs" }),
  after: z
    .string()
    .transform((text, context) => {
      const cursor = decodeExportCursor(text);
      if (cursor !== null) return cursor;
      context.addIssue({ code: "custom", message: "must be a `next` of this export" });
      return z.NEVER;
    })
    .optional()
    .openapi({ type: "string" }),
  limit: z.coerce
    .number()
    .pipe(z.int("must be an integer").min(1, "must be at least 1").max(MAX_ROWS, `must be at most ${MAX_ROWS}`))
    .default(MAX_ROWS)
    .openapi({ type: "integer", minimum: 1, maximum: MAX_ROWS, default: MAX_ROWS }),
});

export const exportRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/v1/enterprises/{e}/export",
      name: "exportData",
      summary: "Export runs, journal entries or usage",
      details:
        "Returns one JSON object a line: runs and entries as in their lists, and usage by local day, surface, workspace, group, user, model and tier. Each has an `id` that never changes. The last line is `{next}`: pass `next` as `after` to get the following rows; it is null at the end. A row that changes later appears again later in the order, and a removed row appears as `{id, removed: true}`. So replace rows by their `id`. To get later changes, export again with the last `next` that was not null. A response without a last line `{next}` was cut off: send the request again.",
      refusals: ["not_found", "cursor_expired"],
      tag: "Operator",
      access: { scope: "operator", operatorScopes: ["maintenance"] },
      answers: { 200: { description: "The rows", schema: z.string(), contentType: "application/x-ndjson" } },
    }),
    request: { params: inEnterprise, query: querySchema },
  }),
  async (c) => {
    const { kind, after = null, limit } = c.req.valid("query");
    if (after !== null && after.kind !== kind) {
      return invalid(c, [{ path: "after", message: "must be a `next` of an export of the same kind" }]);
    }
    const exported = await exportRows(c.env, c.var.address, { kind, cursor: after, maxRows: limit });
    if (isRefusal(exported)) return refused(c, exported.refusal);
    return c.body(exported, 200, { "Content-Type": "application/x-ndjson; charset=utf-8" });
  },
);
