/** PUT …/directory sets the names of workspaces, groups and users, and the group of each workspace. */

import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { id, label, orNull } from "../wire/fields.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const named = z.strictObject({ id, name: label(200) });
const MAX_NAMES = 5_000;

const directorySchema = z
  .strictObject({
    workspaces: z
      .array(named.extend({ group_id: orNull(id, "string").optional() }))
      .max(MAX_NAMES)
      .default([]),
    groups: z.array(named).max(MAX_NAMES).default([]),
    users: z.array(named).max(MAX_NAMES).default([]),
  })
  .openapi("Directory");

export const directoryRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "put",
      path: "/v1/enterprises/{e}/directory",
      name: "putDirectory",
      summary: "Set the names of workspaces, groups and users",
      details:
        "Workspaces, groups and users that the request does not list keep their names and groups. `group_id: null` removes a workspace from its group.",
      tag: "Operator",
      access: { scope: "operator", operatorScopes: ["enterprises"] },
      answers: {
        200: {
          description: "How many of each were set",
          schema: z.object({ workspaces: z.int(), groups: z.int(), users: z.int() }),
        },
      },
    }),
    request: {
      params: inEnterprise,
      body: body(directorySchema, {
        workspaces: [{ id: "web-shop", name: "Web shop", group_id: "retail" }],
        groups: [{ id: "retail", name: "Retail" }],
        users: [{ id: "ada", name: "Ada Lovelace" }],
      }),
    },
  }),
  async (c) => {
    const { workspaces, groups, users } = c.req.valid("json");
    const put = await enterpriseStub(c.env, c.var.address).putDirectory({
      workspaces: workspaces.map(({ id: workspace, name, group_id }) => ({ id: workspace, name, groupId: group_id })),
      groups,
      users,
    });
    return isRefusal(put) ? refused(c, put.refusal) : c.json(put);
  },
);
