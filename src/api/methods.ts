/**
 * Which methods a path knows: so that a wrong method is told from a wrong path.
 */
import type { RouterRoute } from "hono/types";

/** The methods of the routes that match the path, sorted; none for a path that nothing serves. */
export function allowedMethods(routes: readonly RouterRoute[], path: string): string[] {
  const methods = routes.filter(({ method, path: pattern }) => isNamed(method, pattern) && matches(pattern, path));
  return [...new Set(methods.map(({ method }) => method))].sort();
}

/** What catches everything serves nothing. */
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
