/**
 * The catalog: one Durable Object for the whole deployment, asked rarely. It holds what belongs to no enterprise: the
 * price books, whose numbers must never fork, and the list of enterprises, so that a lost copy can be rebuilt.
 */
import { DurableObject } from "cloudflare:workers";
import { BUILT_IN, type ModelPrice, type PriceBook } from "./price-book.ts";

export class CatalogObject extends DurableObject<Env> {
  readonly #sql = this.ctx.storage.sql;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql.exec("CREATE TABLE IF NOT EXISTS price_books (version INTEGER PRIMARY KEY, book TEXT NOT NULL) STRICT");
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS enterprises (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT",
    );
  }

  /** The price book in force, or null when it is the one that the caller has. */
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

  /** Notes an enterprise; noting it again changes nothing. */
  enrol(id: string): void {
    this.#sql.exec("INSERT INTO enterprises (id) VALUES (?) ON CONFLICT (id) DO NOTHING", id);
  }

  /** Enterprises newest first, those before `beforeNumber`. */
  enterprises(beforeNumber: number, limit: number): { number: number; id: string }[] {
    const statement = "SELECT number, id FROM enterprises WHERE number < ? ORDER BY number DESC LIMIT ?";
    return this.#sql.exec<{ number: number; id: string }>(statement, beforeNumber, limit).toArray();
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
