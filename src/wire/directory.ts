/** The directory as JSON: the names of workspaces, groups and users, and the group of each workspace. */
import { z } from "@hono/zod-openapi";
import { id, label, orNull } from "./fields.ts";

const named = z.strictObject({ id, name: label(200) });
const MAX_NAMES = 5_000;

export const directorySchema = z
  .strictObject({
    workspaces: z
      .array(named.extend({ group_id: orNull(id, "string").optional() }))
      .max(MAX_NAMES)
      .default([]),
    groups: z.array(named).max(MAX_NAMES).default([]),
    users: z.array(named).max(MAX_NAMES).default([]),
  })
  .openapi("Directory");

/** `groupId` is undefined for a workspace that keeps its group. */
export function parseDirectory({ workspaces, groups, users }: z.infer<typeof directorySchema>) {
  return {
    workspaces: workspaces.map(({ id: workspace, name, group_id }) => ({ id: workspace, name, groupId: group_id })),
    groups,
    users,
  };
}
