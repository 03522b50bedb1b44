/** PUT …/directory sets the names of workspaces, groups and users, and the group of each workspace. */

import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { directorySchema, parseDirectory } from "../wire/directory.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

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
    const put = await enterpriseStub(c.env, c.var.address).putDirectory(parseDirectory(c.req.valid("json")));
    return isRefusal(put) ? refused(c, put.refusal) : c.json(put);
  },
);
