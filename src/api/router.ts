/**
 * Remembers which routes match a path, because agents send the same few paths again and again. Matching takes longer the
 * more routes there are. What matches is decided by Hono's own routers.
 */
import type { Result, Router } from "hono/router";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";

const MAX_REMEMBERED = 1_000;
/** Longer paths are matched each time, so that the remembered ones take little memory. */
const MAX_PATH_CHARS = 200;

export class RememberingRouter<T> implements Router<T> {
  readonly name = "RememberingRouter";
  readonly #router = new SmartRouter<T>({ routers: [new RegExpRouter(), new TrieRouter()] });
  /** The matches by method and path. Losing them only costs time. */
  readonly #known = new Map<string, Result<T>>();

  add(method: string, path: string, handler: T): void {
    this.#router.add(method, path, handler);
  }

  match(method: string, path: string): Result<T> {
    if (path.length > MAX_PATH_CHARS) return this.#router.match(method, path);
    const key = `${method} ${path}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const found = this.#router.match(method, path);
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(key, found);
    return found;
  }
}
