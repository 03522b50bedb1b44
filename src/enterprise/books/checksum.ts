/** Numbers that stand for names, so that an audit can compare two sets of rows by one sum, whatever their number. */

/** A number that stands for two names: two sets of names with the same sum of these numbers are almost surely equal. */
export function hashOf(name: string, other: string): number {
  let hash = 2_166_136_261;
  for (const char of `${name}\n${other}`) hash = Math.imul(hash ^ (char.codePointAt(0) as number), 16_777_619);
  return (hash >>> 0) + 1;
}

/** An amount weighted by its id: two sums of these differ also if an amount belongs to another id. */
export function weighted(id: string, micros: number): bigint {
  return BigInt(hashOf(id, "")) * BigInt(micros);
}
