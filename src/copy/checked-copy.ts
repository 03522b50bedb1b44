/**
 * The copy of one enterprise, as readers see it. Each read also checks, in the same D1 batch, that the copy has what the
 * ledger knows it wrote. A copy that was lost, or replaced by an older one, is never shown as if it were complete.
 */
import type { CopyHead } from "./batch.ts";
import { isTimeout } from "./timed-d1.ts";

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
  const readAll: ReadAll = async (statements) => {
    const [heads, ...results] = await db.batch<Row>([headStatement(db, enterprise), ...statements]);
    const head = parseHead(heads?.results[0]);
    if (!isComplete(head, mark)) {
      if (!noticed) onUnavailable();
      noticed = true;
      throw new CopyUnavailable(enterprise, mark, head);
    }
    return results;
  };
  const read = readTogether(readAll);
  const copy = { prepare: (text: string) => new CheckedStatement(db.prepare(text), read) };
  return copy as unknown as CheckedCopy;
}

/**
 * Returns a function that reads with one statement. Statements that are read at the same time are sent as one D1 batch,
 * because a call of D1 costs more than most queries. If the batch fails, each statement is tried alone, so that a query
 * that fails does not affect the others. A batch that takes too long fails as a whole: D1 runs one query after another,
 * so the others would wait for the slow one anyway.
 */
function readTogether(readAll: ReadAll): Read {
  let waiting: Waiting[] = [];
  const send = async (): Promise<void> => {
    for (let turn = 0; turn < GATHERING_TURNS; turn++) await null;
    const sent = waiting;
    waiting = [];
    try {
      const results = await readAll(sent.map(({ statement }) => statement));
      sent.forEach(({ resolve }, i) => {
        resolve(results[i] as D1Result<Row>);
      });
    } catch (error) {
      const isFinal = sent.length === 1 || error instanceof CopyUnavailable || isTimeout(error);
      for (const { statement, resolve, reject } of sent) {
        if (isFinal) reject(error);
        else readAll([statement]).then(([result]) => resolve(result as D1Result<Row>), reject);
      }
    }
  };
  return (statement) =>
    new Promise((resolve, reject) => {
      waiting.push({ statement, resolve, reject });
      if (waiting.length === 1) void send();
    });
}

/**
 * How many turns of the microtask queue a read waits for others. The query builder takes about ten from the call of a
 * query to its read.
 */
const GATHERING_TURNS = 30;

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

type Row = Record<string, unknown>;
type Read = (statement: D1PreparedStatement) => Promise<D1Result<Row>>;
type ReadAll = (statements: readonly D1PreparedStatement[]) => Promise<D1Result<Row>[]>;
type Waiting = {
  statement: D1PreparedStatement;
  resolve(result: D1Result<Row>): void;
  reject(error: unknown): void;
};

/** The calls of a D1PreparedStatement that readers and the query builder make. */
class CheckedStatement {
  constructor(
    readonly inner: D1PreparedStatement,
    readonly read: Read,
  ) {}

  bind(...values: unknown[]): CheckedStatement {
    return new CheckedStatement(this.inner.bind(...values), this.read);
  }

  all(): Promise<D1Result<Row>> {
    return this.read(this.inner);
  }

  /** Returns rows as lists. A batch returns rows as objects, so every column of a query needs its own name. */
  async raw(): Promise<unknown[][]> {
    const { results } = await this.read(this.inner);
    return results.map((row) => Object.values(row));
  }
}
