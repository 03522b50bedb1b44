/** Finds the enterprise of a run, of which only the id is known. Reads one row of each enterprise that it is given. */

/** @returns the enterprises that have such a run */
export async function findRunIn(db: D1Database, run: string, enterprises: readonly string[]): Promise<string[]> {
  const { results } = await db
    .prepare("SELECT enterprise FROM runs WHERE run = ?1 AND enterprise IN (SELECT value FROM json_each(?2))")
    .bind(run, JSON.stringify(enterprises))
    .all<{ enterprise: string }>();
  return results.map(({ enterprise }) => enterprise);
}
