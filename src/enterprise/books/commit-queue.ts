/**
 * Group commit: debits that arrive in the same turn of the event loop are decided together and written in one
 * transaction, because a commit costs far more than the statements in it. A debit that arrives alone waits only for the
 * end of its turn. When a group fails, its members are committed one by one, so a bug in one call affects no other. A
 * call is checked again right before its commit, because its key may have been revoked while it waited.
 */
import type { Defer } from "../platform.ts";

/** At most so many requests per commit: its rows go as one JSON value per table, and SQLite takes at most 2 MB. */
const MAX_GROUP = 1_000;

/** A call with requests Q, which is answered with an A for each, or refused with an R. */
type Waiting<Q, A, R> = {
  requests: readonly Q[];
  refuse(): R | null;
  resolve(answers: A[] | R): void;
  reject(error: unknown): void;
};

export class CommitQueue<Q, A, R> {
  /** The calls of this turn. Losing them is harmless: they were not answered, and agents send again. */
  #waiting: Waiting<Q, A, R>[] = [];

  constructor(
    /** Decides and commits all requests in one transaction; returns their answers in order. */
    readonly commit: (requests: readonly Q[]) => A[],
    /** Called once after each turn, before anything is answered. */
    readonly afterFlush: () => void,
    readonly defer: Defer,
  ) {}

  /**
   * Adds one call's requests; resolves to their answers in order, or to the refusal of the call.
   * @param refuse asked right before the commit: why the call is refused now, or null
   */
  add(requests: readonly Q[], refuse: () => R | null): Promise<A[] | R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ requests, refuse, resolve, reject });
      if (this.#waiting.length === 1) this.defer(() => this.#flush(), 0);
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const group of groupsOf(waiting.filter(isAdmitted))) this.#commitGroup(group);
    this.afterFlush();
  }

  #commitGroup(group: readonly Waiting<Q, A, R>[]): void {
    try {
      const answers = this.commit(group.flatMap(({ requests }) => requests));
      let from = 0;
      for (const { requests, resolve } of group) {
        resolve(answers.slice(from, from + requests.length));
        from += requests.length;
      }
    } catch (error) {
      if (group.length === 1) group[0]?.reject(error);
      else for (const member of group) this.#commitGroup([member]);
    }
  }
}

/** False for a call that is refused now, which is answered with its refusal. */
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
