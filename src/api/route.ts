/**
 * One way to declare a route: who may enter, what it takes, what it answers. The same declaration guards the door,
 * checks the request and writes the OpenAPI document, so the three cannot drift apart.
 */
import { createRoute, OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import { id } from "../wire/fields.ts";
import type { ProblemCode } from "../wire/problem-catalogue.ts";
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
export const inEnterprise = z.object({
  e: id.openapi({
    example: "acme",
    param: { name: "e", in: "path", description: "The enterprise's id; a `/` in it percent-encoded." },
  }),
});

type Method = "get" | "post" | "put" | "delete";

/** What one route says of itself. */
export type Declaration = {
  method: Method;
  path: string;
  /** What generated clients call it, and its anchor on the page of the interface. */
  name: string;
  summary: string;
  /** What one must know to use it, beyond the summary and the schemas. */
  details?: string;
  tag: "Agents" | "Readers" | "Operator" | "Service";
  entrance: Entrance;
  /** The request has nothing to say: it comes without a body. */
  empty?: boolean;
  /** The good answers by status. */
  answers: Record<number, { description: string; schema?: z.ZodType; contentType?: string; example?: unknown }>;
  /** The codes of problems that are its own; those of every route are added in document.ts. */
  refusals?: readonly ProblemCode[];
};

/** The part of a route's configuration that is the same everywhere. */
export function declare(declaration: Declaration) {
  const { method, path, name, summary, details, tag, entrance, empty, answers, refusals = [] } = declaration;
  const responses: Record<string, RouteConfig["responses"][string]> = {
    ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)])),
    default: {
      description: "A problem: see its `code`.",
      content: { "application/problem+json": { schema: problemSchema } },
    },
  };
  const middleware = empty === true ? [allow(entrance), nothingToSay] : [allow(entrance)];
  const described = details === undefined ? {} : { description: details };
  const config = { method, path, operationId: name, summary, ...described, tags: [tag], responses };
  return { ...config, middleware, "x-entrance": { ...entrance, empty }, "x-refusals": refusals };
}

/** A body of JSON, and one that the route takes as an example. */
export function body<T extends z.ZodType>(schema: T, example: z.input<T>) {
  return { content: { "application/json": { schema, example } }, required: true } as const;
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

function answerOf({ description, schema, contentType, example }: Declaration["answers"][number]) {
  if (schema === undefined) return { description };
  const shown = example === undefined ? { schema } : { schema, example };
  return { description, content: { [contentType ?? "application/json"]: shown } };
}
