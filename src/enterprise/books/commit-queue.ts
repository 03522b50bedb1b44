/**
 * Implements group commit. Debits that arrive in the same turn of the event loop are decided together and written in
 * one transaction, because a commit costs far more than its statements. A debit that arrives alone waits only for the
 * end of its turn. If a group fails, its calls are committed one by one, so a bug in one call does not affect the
 * others. Each call is authorized again right before its commit, because its key may have been revoked while it waited.
 */
import type { Defer } from "../platform.ts";

/** The limit of requests per commit. The calls of a larger group would wait longer for their answers. */
const MAX_GROUP = 1_000;

/** A call with requests of type Q. It resolves to one A for each request, or to a refusal of type R. */
type Waiting<Q, A, R> = {
  requests: readonly Q[];
  /** The answers to the requests before these, which an earlier turn has committed. */
  answered: readonly A[];
  refuse(): R | null;
  resolve(answers: A[] | R): void;
  reject(error: unknown): void;
};

export class CommitQueue<Q, A, R> {
  /** The calls of this turn. Losing them is harmless: agents got no response, so they send their reports again. */
  #waiting: Waiting<Q, A, R>[] = [];
  #flushing = false;

  constructor(
    /**
     * Decides and commits requests in one transaction; returns their answers in order. It may answer only the first of
     * them, at least one. The next turn commits the others.
     */
    readonly commit: (requests: readonly Q[]) => A[],
    /** Called once after each turn, before any response is sent. */
    readonly afterFlush: () => void,
    readonly defer: Defer,
  ) {}

  /**
   * Adds the requests of one call. Resolves to their answers in order, or to the refusal of the call.
   * @param refuse called right before the commit; returns why the call is refused now, or null
   */
  add(requests: readonly Q[], refuse: () => R | null): Promise<A[] | R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ requests, answered: [], refuse, resolve, reject });
      this.#flushLater();
    });
  }

  #flushLater(): void {
    if (!this.#flushing) this.defer(() => this.#flush(), 0);
    this.#flushing = true;
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#flushing = false;
    for (const group of groupsOf(waiting.filter(isAdmitted))) this.#commitGroup(group);
    if (this.#waiting.length > 0) this.#flushLater();
    this.afterFlush();
  }

  #commitGroup(group: readonly Waiting<Q, A, R>[]): void {
    try {
      const answers = this.commit(group.flatMap(({ requests }) => requests));
      let from = 0;
      for (const member of group) {
        const { requests, answered, resolve } = member;
        const own = [...answered, ...answers.slice(from, from + requests.length)];
        const left = requests.slice(answers.length - from);
        if (from + requests.length <= answers.length) resolve(own);
        else this.#waiting.push(from < answers.length ? { ...member, requests: left, answered: own } : member);
        from += requests.length;
      }
    } catch (error) {
      if (group.length === 1) group[0]?.reject(error);
      else for (const member of group) this.#commitGroup([member]);
    }
  }
}

/** Returns whether the call may still be committed. If not, resolves the call with its refusal. */
function isAdmitted<Q, A, R>({ refuse, resolve, reject }: Waiting<Q, A, R>): boolean {
  try {
    const refused = refuse();
    if (refused !== null) resolve(refused);
    return refused === null;
  } catch (error) {
    reject(error);
    return false;
  }
}

/** Splits the calls, in order, into groups of at most MAX_GROUP requests. A larger call is its own group. */
function groupsOf<Q, A, R>(waiting: readonly Waiting<Q, A, R>[]): Waiting<Q, A, R>[][] {
  const groups: Waiting<Q, A, R>[][] = [];
  let room = 0;
  for (const member of waiting) {
    room -= member.requests.length;
    if (room >= 0) groups.at(-1)?.push(member);
    else {
      groups.push([member]);
      room = MAX_GROUP - member.requests.length;
    }
  }
  return groups;
}
