/** The copy with the rows counted that its statements read, for tests of what a question costs. */
export function counting(db: D1Database, counts: { rows: number }): D1Database {
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement =>
    ({
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all: async () => {
        const result = await statement.all();
        counts.rows += result.meta.rows_read;
        return result;
      },
      raw: async () => {
        // `raw` tells no counts, so the same statement is asked for them.
        counts.rows += (await statement.all()).meta.rows_read;
        return statement.raw();
      },
    }) as unknown as D1PreparedStatement;
  return { prepare: (text: string) => wrap(db.prepare(text)) } as unknown as D1Database;
}
