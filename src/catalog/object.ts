/**
 * The catalog: one Durable Object for the whole deployment, called rarely. It holds what belongs to no single enterprise:
 * the price books, whose version numbers must be unique, the list of enterprises, from which a lost copy can be rebuilt,
 * and the results of scheduled audits.
 */
import { DurableObject } from "cloudflare:workers";
import { BUILT_IN, type ModelPrice, type PriceBook } from "./price-book.ts";

/** The result of a scheduled audit. `failed`: the audit itself did not finish. */
export type AuditState = "ok" | "drift" | "too_large" | "failed";
export type AuditNote = { state: AuditState; checkedAtMs: number; detail: string };

/** Every enterprise counts in one state. */
export type AuditSummary = {
  counts: Record<AuditState | "never", number>;
  /** The times of the oldest and the newest of the last audits; null before the first one. */
  oldestAtMs: number | null;
  latestAtMs: number | null;
  wrong: ({ enterprise: string } & AuditNote)[];
};

const MAX_WRONG = 100;

export class CatalogObject extends DurableObject<Env> {
  readonly #sql = this.ctx.storage.sql;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql.exec("CREATE TABLE IF NOT EXISTS price_books (version INTEGER PRIMARY KEY, book TEXT NOT NULL) STRICT");
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS enterprises (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT",
    );
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS audits (id TEXT PRIMARY KEY, state TEXT NOT NULL, checked_at_ms INTEGER NOT NULL,
        detail TEXT NOT NULL) STRICT, WITHOUT ROWID`,
    );
    this.#sql.exec("CREATE INDEX IF NOT EXISTS audits_wrong ON audits (checked_at_ms) WHERE state <> 'ok'");
    this.#sql.exec("CREATE TABLE IF NOT EXISTS demos (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT");
  }

  /** The current price book; null when the caller has it already. */
  currentBook(knownVersion: number | null): PriceBook | null {
    const version = this.#latestVersion();
    if (version === knownVersion) return null;
    if (version === BUILT_IN.version) return BUILT_IN;
    const row = this.#sql.exec<{ book: string }>("SELECT book FROM price_books WHERE version = ?", version).one();
    return JSON.parse(row.book) as PriceBook;
  }

  /** Adds the next price book. */
  addBook(creditsPerUsd: number, models: ModelPrice[]): PriceBook {
    const book: PriceBook = { version: this.#latestVersion() + 1, credits_per_usd: creditsPerUsd, models };
    this.#sql.exec("INSERT INTO price_books (version, book) VALUES (?, ?)", book.version, JSON.stringify(book));
    return book;
  }

  /** Adds an enterprise to the list. Idempotent. */
  enrol(id: string): void {
    this.#sql.exec("INSERT INTO enterprises (id) VALUES (?) ON CONFLICT (id) DO NOTHING", id);
  }

  /** Enterprises with a number below `beforeNumber`, newest first. */
  enterprises(beforeNumber: number, limit: number): { number: number; id: string }[] {
    const statement = "SELECT number, id FROM enterprises WHERE number < ? ORDER BY number DESC LIMIT ?";
    return this.#sql.exec<{ number: number; id: string }>(statement, beforeNumber, limit).toArray();
  }

  /** The enterprises whose last audit is the oldest; those never audited come first. */
  nextToAudit(limit: number): string[] {
    const statement = `SELECT enterprises.id FROM enterprises LEFT JOIN audits USING (id)
      ORDER BY coalesce(checked_at_ms, 0), number LIMIT ?`;
    return this.#sql
      .exec<{ id: string }>(statement, limit)
      .toArray()
      .map(({ id }) => id);
  }

  /** Records the result of an enterprise's last audit. */
  noteAudit(id: string, { state, checkedAtMs, detail }: AuditNote): void {
    this.#sql.exec("INSERT OR REPLACE INTO audits VALUES (?, ?, ?, ?)", id, state, checkedAtMs, detail);
  }

  /** The last audits of all enterprises: counts by state, and those that were not ok in full. */
  auditSummary(): AuditSummary {
    const counts = { ok: 0, drift: 0, too_large: 0, failed: 0, never: 0 };
    const byState = `SELECT coalesce(state, 'never') AS state, count(*) AS n FROM enterprises LEFT JOIN audits USING (id)
      GROUP BY 1`;
    for (const { state, n } of this.#sql.exec<{ state: keyof typeof counts; n: number }>(byState)) counts[state] = n;
    const times = "SELECT min(checked_at_ms) AS oldestAtMs, max(checked_at_ms) AS latestAtMs FROM audits";
    const { oldestAtMs, latestAtMs } = this.#sql
      .exec<{ oldestAtMs: number | null; latestAtMs: number | null }>(times)
      .one();
    return { counts, oldestAtMs, latestAtMs, wrong: this.wrongAudits(MAX_WRONG) };
  }

  /** The latest of the last audits that were not ok. Reads only the rows it returns. */
  wrongAudits(limit: number): AuditSummary["wrong"] {
    const statement = `SELECT id AS enterprise, state, checked_at_ms AS checkedAtMs, detail FROM audits WHERE state <> 'ok'
      ORDER BY checked_at_ms DESC LIMIT ?`;
    return this.#sql.exec<AuditSummary["wrong"][number]>(statement, limit).toArray();
  }

  /** The last scheduled audit of an enterprise; null before its first one. */
  lastAudit(id: string): AuditNote | null {
    const statement = "SELECT state, checked_at_ms AS checkedAtMs, detail FROM audits WHERE id = ?";
    return this.#sql.exec<AuditNote>(statement, id).toArray()[0] ?? null;
  }

  /** Adds a demo enterprise to the list of the start page. Idempotent. */
  enrolDemo(id: string): void {
    this.#sql.exec("INSERT INTO demos (id) VALUES (?) ON CONFLICT (id) DO NOTHING", id);
  }

  /** Demo enterprises, in the order in which they were added. */
  demos(limit: number): string[] {
    const rows = this.#sql.exec<{ id: string }>("SELECT id FROM demos ORDER BY number LIMIT ?", limit).toArray();
    return rows.map(({ id }) => id);
  }

  #latestVersion(): number {
    const row = this.#sql.exec<{ version: number | null }>("SELECT max(version) AS version FROM price_books").one();
    return row.version ?? BUILT_IN.version;
  }
}

/** The one catalog of the deployment. */
export function catalogOf(env: Env): DurableObjectStub<CatalogObject> {
  return env.CATALOG.getByName("catalog");
}
