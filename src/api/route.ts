/**
 * One way to declare a route: who may enter, what it takes, what it answers. The same declaration guards the door,
 * checks the request and writes the OpenAPI document, so the three cannot drift apart.
 */
import { createRoute, OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import { id } from "../wire/fields.ts";
import { fieldErrors } from "../wire/problems.ts";
import { type ApiEnv, allow, type Entrance } from "./auth.ts";
import { invalid, problem } from "./problem.ts";

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .openapi("Problem");

/** The path's enterprise; the door has checked it. */
export const inEnterprise = z.object({ e: id.openapi({ param: { name: "e", in: "path" } }) });

type Method = "get" | "post" | "put" | "delete";

/** What one route says of itself. `answers` are the good answers by status; every route may answer a problem. */
export type Declaration = {
  method: Method;
  path: string;
  summary: string;
  tag: "Agents" | "Readers" | "Operator" | "Service";
  entrance: Entrance;
  /** The request has nothing to say: it comes without a body. */
  empty?: boolean;
  answers: Record<number, { description: string; schema?: z.ZodType; contentType?: string }>;
};

/** The part of a route's configuration that is the same everywhere. */
export function declare(declaration: Declaration) {
  const { method, path, summary, tag, entrance, empty, answers } = declaration;
  const responses: Record<string, RouteConfig["responses"][string]> = {
    ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)])),
    default: {
      description: "A problem: see its `code`.",
      content: { "application/problem+json": { schema: problemSchema } },
    },
  };
  const middleware = empty === true ? [allow(entrance), nothingToSay] : [allow(entrance)];
  return { method, path, summary, tags: [tag], security: [{ key: [] }], middleware, responses };
}

/** A body of JSON. */
export function body<T extends z.ZodType>(schema: T) {
  return { content: { "application/json": { schema } }, required: true } as const;
}

/** A router whose schema faults answer 422 with the fields named. */
export function newRouter(): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result, c) => {
      if (!result.success) return invalid(c, fieldErrors(result.error));
    },
  });
}

export { createRoute, z };

/** No body, or what a client sends in its place; anything else is refused as it is everywhere. */
const nothingToSay = createMiddleware<ApiEnv>(async (c, next) => {
  const text = await c.req.text();
  if (text.trim() !== "") {
    let said: unknown;
    try {
      said = JSON.parse(text);
    } catch {
      return problem(c, "malformed_json");
    }
    const checked = z.strictObject({}).nullable().safeParse(said);
    if (!checked.success) return invalid(c, fieldErrors(checked.error));
  }
  await next();
});

function answerOf({ description, schema, contentType }: Declaration["answers"][number]) {
  if (schema === undefined) return { description };
  return { description, content: { [contentType ?? "application/json"]: { schema } } };
}
