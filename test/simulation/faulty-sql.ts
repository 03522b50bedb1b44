/**
 * The object's SQLite, in memory, with a trap. When it is armed, storage fails at a chosen statement or at the commit, as
 * with a full disk or a killed process. What the transaction has written by then must be rolled back.
 */
import type { Sql } from "../../src/enterprise/books/sql.ts";
import { openSql } from "../support/node-sql.ts";

export class StorageFault extends Error {
  constructor(readonly inTransaction: boolean) {
    super(inTransaction ? "storage failed inside a transaction" : "storage failed outside of a transaction");
  }
}

export type Trap =
  /** Fails after so many statements, or after so many writes if only writes count. */
  { after: number; writesOnly: boolean } | "commit";

export type FaultySql = Sql & {
  arm(trap: Trap): void;
  /** Disarms the trap; true when it had sprung. */
  disarm(): boolean;
  /** True when the trap has sprung since it was armed last. */
  sprung(): boolean;
  /** How many transactions have been committed so far. */
  commits(): number;
  /** The state after the last commit since the trap was armed; null if there was none. */
  committedDump(): string | null;
  /** Writes everything that is stored to a file. */
  saveTo(file: string): void;
  /** Continues with what is stored in a file. */
  goBackTo(file: string): void;
};

/** @param committed called after each commit, with a way to read without meeting the trap */
export function faultySql(committed: (all: Sql["all"]) => void): FaultySql {
  let inner = openSql();
  let trap: Trap | null = null;
  let left = 0;
  let depth = 0;
  let sprung = false;
  let commits = 0;
  let committedDump: string | null = null;

  function spring(): never {
    trap = null;
    sprung = true;
    throw new StorageFault(depth > 0);
  }

  function step(write: boolean): void {
    if (trap === null || trap === "commit" || (trap.writesOnly && !write)) return;
    if (left-- === 0) spring();
  }

  function inTransaction<T>(body: () => T): T {
    depth += 1;
    try {
      return inner.transaction(() => {
        const result = body();
        if (trap === "commit") spring();
        return result;
      });
    } finally {
      depth -= 1;
    }
  }

  return {
    all: (statement, ...params) => {
      step(false);
      return inner.all(statement, ...params);
    },
    run: (statement, ...params) => {
      // Noting when a key was used may fail without consequences, so it would waste a trap.
      if (!statement.startsWith("UPDATE keys SET last_used_at_ms")) step(true);
      inner.run(statement, ...params);
    },
    sizeBytes: () => inner.sizeBytes(),
    transaction: (body) => {
      const answer = inTransaction(body);
      commits += 1;
      if (trap !== null) committedDump = dumpOf(inner);
      committed(inner.all);
      return answer;
    },
    arm: (next) => {
      trap = next;
      left = next === "commit" ? 0 : next.after;
      sprung = false;
      committedDump = null;
    },
    disarm: () => {
      trap = null;
      const hadSprung = sprung;
      sprung = false;
      return hadSprung;
    },
    sprung: () => sprung,
    commits: () => commits,
    committedDump: () => committedDump,
    saveTo: (file) => inner.run("VACUUM INTO ?", file),
    goBackTo: (file) => {
      inner = openSql(file);
      inner.all("PRAGMA synchronous = OFF");
      inner.all("PRAGMA journal_mode = MEMORY");
    },
  };
}

/**
 * Every row of every table as text, to compare two states of a database. Leaves out when a key was last used, which is
 * noted before the transaction.
 */
export function dumpOf(sql: Sql): string {
  const tables = sql.all(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  );
  const rowsOf = (name: string) => sql.all(`SELECT * FROM ${name}`).map(({ last_used_at_ms: _noted, ...row }) => row);
  return tables.map(({ name }) => JSON.stringify([name, rowsOf(name as string)])).join("\n");
}
