/** Finds the methods that a path supports, to distinguish an unsupported method (405) from an unknown path (404). */
import type { RouterRoute } from "hono/types";

/** Returns the methods of the routes that match the path, sorted; empty if no route matches. */
export function allowedMethods(routes: readonly RouterRoute[], path: string): string[] {
  const methods = routes.filter(({ method, path: pattern }) => isNamed(method, pattern) && matches(pattern, path));
  return [...new Set(methods.map(({ method }) => method))].sort();
}

/** Whether a route shows that a path exists. Middleware and catch-all routes do not. */
function isNamed(method: string, pattern: string): boolean {
  return method !== "ALL" && !pattern.endsWith("*");
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length &&
    wanted.every((part, i) => (part.startsWith(":") ? given[i] !== "" : part === given[i]))
  );
}
