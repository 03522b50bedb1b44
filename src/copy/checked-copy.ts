/**
 * The copy of one enterprise, as readers see it. Each read also checks, in the same D1 batch, that the copy has what the
 * ledger knows it wrote. A copy that was lost, or replaced by an older one, is never shown as if it were complete.
 */
import type { CopyHead } from "./batch.ts";

declare const checked: unique symbol;
/** D1 for the queries about one enterprise. Only `openCopy` makes it, so no reader can forget the check. */
export type CheckedCopy = D1Database & { [checked]: true };

/** What the copy must have. */
export type CopyMark = {
  /** The revision of the last batch that D1 has confirmed. */
  revision: number;
  /** The copy is complete if no batch is missing since this revision. */
  sinceRevision: number;
  /** The database that has the copy. Objects of the last release do not state it, because there was only one. */
  shard?: string;
};

/** RPC keeps only the message of an error, so the message starts with the error's name: isCopyError recognizes it. */
class CopyUnavailable extends Error {
  constructor(enterprise: string, { revision, sinceRevision }: CopyMark, head: CopyHead | null) {
    const found = head === null ? "nothing" : `revision ${head.revision}, complete since ${head.sinceRevision}`;
    super(
      `CopyUnavailable: D1 has ${found} of ${enterprise}; the ledger wrote revision ${revision}, complete since ${sinceRevision}`,
    );
  }
}

/**
 * Returns the copy of an enterprise for reading.
 * @param mark null if the object runs an older release that does not state it; then nothing is checked
 * @param onUnavailable called once when the copy lacks something, before the read fails with CopyUnavailable
 */
export function openCopy(
  db: D1Database,
  enterprise: string,
  mark: CopyMark | null,
  onUnavailable: () => void = () => {},
): CheckedCopy {
  if (mark === null) return db as CheckedCopy;
  let noticed = false;
  const read: Read = async (statement) => {
    const [heads, result] = await db.batch([headStatement(db, enterprise), statement]);
    const head = parseHead(heads?.results[0]);
    if (!isComplete(head, mark)) {
      if (!noticed) onUnavailable();
      noticed = true;
      throw new CopyUnavailable(enterprise, mark, head);
    }
    return result as D1Result<Record<string, unknown>>;
  };
  const copy = { prepare: (text: string) => new CheckedStatement(db.prepare(text), read) };
  return copy as unknown as CheckedCopy;
}

/**
 * Whether a copy with this head has everything that the mark demands. While no batch is confirmed, nothing can be
 * missing: the first batch may reach D1 between the ledger's answer and this read.
 */
export function isComplete(head: CopyHead | null, { revision, sinceRevision }: CopyMark): boolean {
  if (revision === 0) return true;
  return head !== null && head.revision >= revision && head.sinceRevision <= sinceRevision;
}

/** Returns the query of a copy's head, as the last statement of a batch or alone. */
export function headStatement(db: D1Database, enterprise: string): D1PreparedStatement {
  const statement = "SELECT generation, revision, since_revision FROM enterprises WHERE id = ?";
  return db.prepare(statement).bind(enterprise);
}

export function parseHead(row: unknown): CopyHead | null {
  if (row === undefined) return null;
  const { generation, revision, since_revision } = row as Record<string, number>;
  return { generation, revision, sinceRevision: since_revision } as CopyHead;
}

type Read = (statement: D1PreparedStatement) => Promise<D1Result<Record<string, unknown>>>;

/** The calls of a D1PreparedStatement that readers and the query builder make. */
class CheckedStatement {
  constructor(
    readonly inner: D1PreparedStatement,
    readonly read: Read,
  ) {}

  bind(...values: unknown[]): CheckedStatement {
    return new CheckedStatement(this.inner.bind(...values), this.read);
  }

  all(): Promise<D1Result<Record<string, unknown>>> {
    return this.read(this.inner);
  }

  /** Returns rows as lists. A batch returns rows as objects, so every column of a query needs its own name. */
  async raw(): Promise<unknown[][]> {
    const { results } = await this.read(this.inner);
    return results.map((row) => Object.values(row));
  }
}
