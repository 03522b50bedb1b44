/** The methods that a path supports, which distinguish a wrong method (405) from a wrong path (404). */
import type { RouterRoute } from "hono/types";

/** The methods of the routes that match the path, sorted; empty when no route does. */
export function allowedMethods(routes: readonly RouterRoute[], path: string): string[] {
  const methods = routes.filter(({ method, path: pattern }) => isNamed(method, pattern) && matches(pattern, path));
  return [...new Set(methods.map(({ method }) => method))].sort();
}

/** False for middleware and catch-all routes, which do not show that a path exists. */
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
