// @ts-nocheck: runs in workerd, as a module of worker.js.
// JSON has no `undefined`, and an object may treat a field that is undefined like one that is absent or not.

const UNDEFINED = "\u0000undefined";

export const keepUndefined = (_, value) => (value === undefined ? UNDEFINED : value);

export function restoreUndefined(value) {
  if (value === UNDEFINED) return undefined;
  if (Array.isArray(value)) return value.map(restoreUndefined);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, restoreUndefined(inner)]));
}
