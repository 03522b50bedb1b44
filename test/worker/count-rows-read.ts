/** Wraps D1 and adds the rows that its statements read to `counts`. */
export function countRowsRead(db: D1Database, counts: { rows: number }): D1Database {
  const wrap = (statement: D1PreparedStatement): D1PreparedStatement =>
    ({
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all: async () => {
        const result = await statement.all();
        counts.rows += result.meta.rows_read;
        return result;
      },
      raw: async () => {
        // `raw` reports no counts, so run the same statement once more with `all`.
        counts.rows += (await statement.all()).meta.rows_read;
        return statement.raw();
      },
    }) as unknown as D1PreparedStatement;
  const batch = (statements: D1PreparedStatement[]) => Promise.all(statements.map((statement) => statement.all()));
  return { prepare: (text: string) => wrap(db.prepare(text)), batch } as unknown as D1Database;
}
