/**
 * The object's SQLite, in memory, with a trap: armed, it breaks at a chosen statement or at the commit, as a full disk
 * or a killed process would. What a transaction has written by then must be gone.
 */
import type { Sql } from "../../src/enterprise/books/sql.ts";
import { openSql } from "../support/node-sql.ts";

export class StorageFault extends Error {
  constructor(readonly inTransaction: boolean) {
    super(inTransaction ? "storage broke inside a transaction" : "storage broke outside of a transaction");
  }
}

export type Trap =
  /** Breaks after so many statements, or, where only writes count, after so many writes. */
  { after: number; writesOnly: boolean } | "commit";

export type FaultySql = Sql & {
  arm(trap: Trap): void;
  /** Takes the trap away. True when it had sprung. */
  disarm(): boolean;
  /** True when the trap has sprung that is still armed. */
  sprung(): boolean;
  /** How many transactions were committed so far. */
  commits(): number;
};

/** @param committed told after each commit, with what reads past the trap */
export function faultySql(committed: (all: Sql["all"]) => void): FaultySql {
  const inner = openSql();
  let trap: Trap | null = null;
  let left = 0;
  let depth = 0;
  let sprung = false;
  let commits = 0;

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
      step(true);
      inner.run(statement, ...params);
    },
    transaction: (body) => {
      const answer = inTransaction(body);
      commits += 1;
      committed(inner.all);
      return answer;
    },
    arm: (next) => {
      trap = next;
      left = next === "commit" ? 0 : next.after;
      sprung = false;
    },
    disarm: () => {
      trap = null;
      const hadSprung = sprung;
      sprung = false;
      return hadSprung;
    },
    sprung: () => sprung,
    commits: () => commits,
  };
}

/** Every row of every table, as text: equal texts, equal databases. */
export function dumpOf(sql: Sql): string {
  const tables = sql.all(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  );
  return tables.map(({ name }) => JSON.stringify([name, sql.all(`SELECT * FROM ${name}`)])).join("\n");
}
