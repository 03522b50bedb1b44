/**
 * The people whose id was replaced. Their ids are known only while the job runs; afterwards a keyed hash recognizes them.
 * Until the job is done, everything that is reported for the id belongs to the replacement. From then on only reports of
 * runs that the replacement has, or that started before the erasure, do. Every other run is of a new person.
 */
import type { Attribution } from "../../ledger/attribution.ts";
import type { Run } from "../../ledger/books.ts";
import type { AtMs } from "../../ledger/time.ts";
import { keyedHash, randomHex } from "../data/digest.ts";
import { loadJob } from "./job-rows.ts";
import type { Sql, SqlRow } from "./sql.ts";

type Erasure = {
  replacement: string;
  /**
   * The person's id and name; null once no table has them. UNKNOWN_PERSON: some tables may have an id that is not known.
   */
  user: string | null;
  name: string | null;
  /** By the enterprise's clock and by the real clock. */
  erasedAtMs: AtMs;
  realAtMs: AtMs;
};

/** A person whose id some tables may still have. */
export type PersonToErase = { user: string; name: string | null; replacement: string };

/** No person has this id. After a restore it stands for one whose id is known only by its hash, until it is found. */
export const UNKNOWN_PERSON = "";

const SUFFIX_BYTES = 4;
const KEY_BYTES = 32;

export class Erasures {
  /** Cached, because new runs look here. Null if nobody was erased. Losing it only costs a query. */
  #hashKey: string | null | undefined;
  /** How often an erasure has looked through the outbox in this instance: what was read before may have the old id. */
  outboxRewrites = 0;

  constructor(readonly sql: Sql) {}

  /** Call this after a change, and when a transaction that made one has failed. */
  forget(): void {
    this.#hashKey = undefined;
  }

  /** Begins to erase a person, in the caller's transaction. Returns the replacement; null if that has begun already. */
  begin(user: string, erasedAtMs: AtMs, realAtMs: AtMs): string | null {
    if (this.#find(user).some((erasure) => erasure.user === user)) return null;
    const hashKey = this.#loadHashKey() ?? randomHex(KEY_BYTES);
    let replacement: string;
    do replacement = `erased-${randomHex(SUFFIX_BYTES)}`;
    while (this.sql.all("SELECT 1 FROM erasures WHERE replacement = ?", replacement).length > 0);
    const name = this.sql.all("SELECT name FROM names WHERE kind = 'user' AND id = ?", user)[0]?.name ?? null;
    this.sql.run(
      "INSERT INTO erasures VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...[replacement, hashKey, keyedHash(hashKey, user), user, name, erasedAtMs, realAtMs],
    );
    // The erasure ends every token that these rows would have ended.
    this.sql.run("DELETE FROM sign_outs WHERE kind IN ('person', 'admin') AND id = ?", user);
    this.forget();
    return replacement;
  }

  /** Returns the next person whose id some tables may still have; null if there is none. */
  next(): PersonToErase | null {
    const row = this.sql.all("SELECT * FROM erasures WHERE user IS NOT NULL ORDER BY replacement LIMIT 1")[0];
    if (row === undefined) return null;
    const { user, name, replacement } = erasureOfRow(row);
    return { user: user as string, name, replacement };
  }

  finish(replacement: string): void {
    this.sql.run("UPDATE erasures SET user = NULL, name = NULL WHERE replacement = ?", replacement);
    this.forget();
  }

  /** Whether some table may have the id of a person who is known only by the hash. */
  get anyUnknown(): boolean {
    return this.sql.all("SELECT 1 FROM erasures WHERE user = ? LIMIT 1", UNKNOWN_PERSON).length > 0;
  }

  /** Notes which of these ids belong to people who are known only by the hash. */
  recognize(ids: readonly string[]): void {
    const hashKey = this.#loadHashKey() ?? "";
    const byHash = new Map(ids.map((id) => [keyedHash(hashKey, id), id]));
    const found = this.sql.all(
      "SELECT replacement, hash FROM erasures WHERE user = ? AND hash IN (SELECT value FROM json_each(?))",
      ...[UNKNOWN_PERSON, JSON.stringify([...byHash.keys()])],
    );
    for (const { replacement, hash } of found) {
      this.sql.run(
        `UPDATE erasures SET user = ?1, name = (SELECT name FROM names WHERE kind = 'user' AND id = ?1)
          WHERE replacement = ?2`,
        ...[byHash.get(hash as string) ?? null, replacement ?? null],
      );
    }
    this.forget();
  }

  /** Ends the search: no table has the ids that were not found. */
  endSearch(): void {
    this.sql.run("UPDATE erasures SET user = NULL WHERE user = ?", UNKNOWN_PERSON);
    this.forget();
  }

  /**
   * Returns the request with the replacement of its user, if the request belongs to somebody who was erased. A new run
   * without `started_at` starts after the erasure, although a test clock may show the same time.
   */
  attribute<T extends Attribution>(request: T, run: Run | null): T {
    const { user, startedAtMs = Number.POSITIVE_INFINITY } = request;
    if (user === undefined || run?.user === user || this.#loadHashKey() === null) return request;
    const found = this.#find(user).find((erasure) =>
      run === null ? erasure.user !== null || startedAtMs <= erasure.erasedAtMs : erasure.replacement === run.user,
    );
    return found === undefined ? request : { ...request, user: found.replacement };
  }

  /** Returns when this user's tokens were ended last, by the real clock; 0 if never. */
  tokensEndedAtMs(user: string): AtMs {
    return Math.max(0, ...this.#find(user).map(({ realAtMs }) => realAtMs));
  }

  #find(user: string): Erasure[] {
    const hashKey = this.#loadHashKey();
    if (hashKey === null) return [];
    const statement = "SELECT * FROM erasures WHERE hash = ? ORDER BY erased_at_ms, replacement";
    return this.sql.all(statement, keyedHash(hashKey, user)).map(erasureOfRow);
  }

  /** Returns the key of all hashes; null if nobody was erased. */
  #loadHashKey(): string | null {
    if (this.#hashKey === undefined) {
      this.#hashKey = (this.sql.all("SELECT hash_key FROM erasures LIMIT 1")[0]?.hash_key ?? null) as string | null;
    }
    return this.#hashKey;
  }
}

/** The name of the job that replaces the ids. */
export const ERASE = "erase";

/** Whether an erasure has begun to replace rows. Audits and rebuilds wait for it. */
export function isErasing(sql: Sql): boolean {
  const job = loadJob(sql, ERASE);
  return job?.state === "running" && job.cursor !== null;
}

function erasureOfRow(row: SqlRow): Erasure {
  return {
    replacement: row.replacement as string,
    user: row.user as string | null,
    name: row.name as string | null,
    erasedAtMs: row.erased_at_ms as AtMs,
    realAtMs: row.real_at_ms as AtMs,
  };
}
