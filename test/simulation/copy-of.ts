/**
 * Copies values with everything that they refer to, so that the reference can go back to an earlier moment. What two
 * values share is shared by their copies. Copies of objects have their class, but not its private parts. Functions are
 * not copied.
 */

/** @param copies what has been copied so far; what is in it from the start is replaced instead of copied */
export function copyOf<T>(value: T, copies = new Map<object, object>()): T {
  if (typeof value !== "object" || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known as T;
  const add = <C extends object>(copy: C): C => {
    copies.set(value, copy);
    return copy;
  };
  if (Array.isArray(value)) {
    const list = add([] as unknown[]);
    for (const item of value) list.push(copyOf(item, copies));
    return list as T;
  }
  if (value instanceof Map) {
    const map = add(new Map());
    for (const [key, item] of value) map.set(copyOf(key, copies), copyOf(item, copies));
    return map as T;
  }
  if (value instanceof Set) {
    const set = add(new Set());
    for (const item of value) set.add(copyOf(item, copies));
    return set as T;
  }
  const copy = add(Object.create(Object.getPrototypeOf(value)) as object);
  assignCopy(copy, value, copies);
  return copy as T;
}

/**
 * Gives an object the copies of all fields of another one.
 *
 * @param copies as in `copyOf`
 */
export function assignCopy(to: object, from: object, copies: Map<object, object>): void {
  for (const [name, field] of Object.entries(from)) (to as Record<string, unknown>)[name] = copyOf(field, copies);
}
