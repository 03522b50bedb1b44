/**
 * Declares routes: who may call them, what they accept and what they return. One declaration authorizes callers,
 * validates requests and describes the route in the OpenAPI document, so the three cannot contradict each other.
 */
import { createRoute, OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import { createMiddleware } from "hono/factory";
import type { HonoOptions } from "hono/hono-base";
import { id } from "../wire/fields.ts";
import type { ProblemCode } from "../wire/problem-catalogue.ts";
import { fieldErrors } from "../wire/problems.ts";
import { type Access, type ApiEnv, authorize } from "./auth.ts";
import { invalid, problem } from "./problem.ts";

const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .openapi("Problem");

/** The path parameter of routes that belong to one enterprise. authorize() validates it. */
export const inEnterprise = z.object({
  e: id.openapi({
    example: "acme",
    param: { name: "e", in: "path", description: "The enterprise's id. Percent-encode a `/` in it." },
  }),
});

/** The path parameters of routes about one person of an enterprise. */
export const aboutUser = inEnterprise.extend({
  user: id.openapi({
    example: "ada",
    param: { name: "user", in: "path", description: "The person's id. Percent-encode a `/` in it." },
  }),
});

type Declaration = {
  method: "get" | "post" | "put" | "patch" | "delete";
  path: string;
  /** The operation's id, which is its name in generated clients and its anchor in /docs. */
  name: string;
  summary: string;
  /** What callers need to know beyond the summary and the schemas. */
  details?: string;
  tag: "Agents" | "Readers" | "Operator" | "Service";
  access: Access;
  /** The request has no content. requireEmptyBody() checks this. */
  empty?: boolean;
  /** The responses to a successful request, by status. */
  answers: Record<number, { description: string; schema?: z.ZodType; contentType?: string; example?: unknown }>;
  /** The problem codes that are specific to this route. document.ts adds the codes that many routes share. */
  refusals?: readonly ProblemCode[];
};

/** Converts a declaration into the configuration of a route. The caller adds the request's schemas. */
export function declare(declaration: Declaration) {
  const { method, path, name, summary, details, tag, access, empty, answers, refusals = [] } = declaration;
  const responses: Record<string, RouteConfig["responses"][string]> = {
    ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, answerOf(answer)])),
    default: {
      description: "A problem; see its `code`.",
      content: { "application/problem+json": { schema: problemSchema } },
    },
  };
  const middleware = empty === true ? [authorize(access), requireEmptyBody] : [authorize(access)];
  const described = details === undefined ? {} : { description: details };
  const config = { method, path, operationId: name, summary, ...described, tags: [tag], responses };
  return { ...config, middleware, "x-access": { ...access, empty }, "x-refusals": refusals };
}

/** Describes a JSON body. The route must accept the example. */
export function body<T extends z.ZodType>(schema: T, example: z.input<T>) {
  return { content: { "application/json": { schema, example } }, required: true } as const;
}

/**
 * Makes a router that responds with 422 and the field errors if a request does not match its schema.
 *
 * @param options how the router of the whole site finds routes
 */
export function newRouter(options: Pick<HonoOptions<ApiEnv>, "router"> = {}): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    ...options,
    defaultHook: (result, c) => {
      if (!result.success) return invalid(c, fieldErrors(result.error));
    },
  });
}

export { createRoute, z };

/** Refuses a request that has a body. Accepts `{}` and `null`, which some clients send instead of an empty body. */
const requireEmptyBody = createMiddleware<ApiEnv>(async (c, next) => {
  const text = await c.req.text();
  if (text.trim() !== "") {
    let sent: unknown;
    try {
      sent = JSON.parse(text);
    } catch {
      return problem(c, "malformed_json");
    }
    const checked = z.strictObject({}).nullable().safeParse(sent);
    if (!checked.success) return invalid(c, fieldErrors(checked.error));
  }
  await next();
});

function answerOf({ description, schema, contentType, example }: Declaration["answers"][number]) {
  if (schema === undefined) return { description };
  const shown = example === undefined ? { schema } : { schema, example };
  return { description, content: { [contentType ?? "application/json"]: shown } };
}
