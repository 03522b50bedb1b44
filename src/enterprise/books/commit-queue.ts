/**
 * Group commit. Debits that arrive in the same turn of the event loop are decided together and written in one
 * transaction, because a commit costs far more than the statements in it. A debit that arrives alone waits for nothing
 * but the turn it is in. When a group fails, each of its members is tried alone: a bug in one harms no other. A call is
 * checked again in the turn of its commit, because its key may have been revoked while it waited.
 */

import type { Defer } from "../platform.ts";

/** As many requests to a commit: its rows go as one JSON value per table, and SQLite holds none above 2 MB. */
const MAX_GROUP = 1_000;

type Waiting<Q, A, R> = {
  requests: readonly Q[];
  refuse(): R | null;
  resolve(answers: A[] | R): void;
  reject(error: unknown): void;
};

export class CommitQueue<Q, A, R> {
  #waiting: Waiting<Q, A, R>[] = [];

  constructor(
    /** Decides and commits all of the requests in one transaction, answering in order. */
    readonly commit: (requests: readonly Q[]) => A[],
    /** Called once after each flush. */
    readonly afterFlush: () => void,
    readonly defer: Defer,
  ) {}

  /** @param refuse asked right before the commit: why the call is refused now, or null */
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

  #commitGroup(group: Waiting<Q, A, R>[]): void {
    try {
      const answers = this.commit(group.flatMap(({ requests }) => requests));
      let from = 0;
      for (const { requests, resolve } of group) {
        resolve(answers.slice(from, from + requests.length));
        from += requests.length;
      }
    } catch (error) {
      for (const waiting of group) this.#commitAlone(waiting, group.length === 1 ? error : undefined);
    }
  }

  #commitAlone({ requests, resolve, reject }: Waiting<Q, A, R>, known: unknown): void {
    if (known !== undefined) {
      reject(known);
      return;
    }
    try {
      resolve(this.commit(requests));
    } catch (error) {
      reject(error);
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

/** Takes what waits in order, as many members to a group as fit; one that is larger alone is a group of its own. */
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
