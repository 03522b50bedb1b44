/** The steps of a restore, which the catalog calls in an enterprise's object. It has no Workers types, as job-record.ts. */
import type { By } from "../ledger/entries.ts";
import type { AtMs } from "../ledger/time.ts";

/** What must survive when an object goes back to an earlier moment. */
export type KeptTable = "keys" | "sign_outs" | "links_used" | "erasures";
/** A page of rows of one table, by column. */
export type KeptRows = { table: KeptTable; rows: Record<string, string | number | null>[] };
/** The number of the table, and the key of the last row that was read; null at the start of the table. */
export type KeptPlace = { table: number; after: (string | number)[] | null };

/** The numbers that must not fall when the object goes back. Numbers of progress are by name. */
export type RestoreNumbers = {
  seq: number;
  waiting: number;
  shard: string;
  progress: Record<string, number>;
  /** Who asked for the restore. A restore that began under the last release does not have it. */
  by?: By;
};

/** How a step ended. If it is not done, call it again. */
export type RestoreProgress = { done: boolean; pauseMs: number };

/** Each step does a bounded amount of work, and may be called again after a failure. */
export type RestoreSteps = {
  /** Refuses every other call from now on, and closes all sockets. */
  close(job: string): Promise<void>;
  /** Returns a page of what must survive, and where the next one starts; null if there is none. */
  read(place: KeptPlace): { kept: KeptRows; next: KeptPlace | null; numbers: RestoreNumbers };
  /** Lets the next instance start at an earlier moment. Returns the bookmark that undoes this. */
  leave(to: { atMs: AtMs } | { bookmark: string }): Promise<{ undo: string }>;
  /** Ends this instance. The call fails, because nobody is left to answer it. */
  restart(): void;
  /**
   * Closes the earlier file, as the first call of its first instance. Returns "waiting" if the file is still the later
   * one, and "empty" if the enterprise did not exist at that moment.
   */
  arrive(job: string, numbers: RestoreNumbers): "waiting" | "empty" | "arrived";
  /**
   * Sums up the journal, a page with each call, and ends it with a checkpoint, whose seq is above every seq ever issued.
   * Nothing may take a seq before this.
   */
  count(): RestoreProgress;
  /** Applies kept rows: what was revoked, signed out, used or erased since then is so again. */
  put(kept: KeptRows): void;
  /** Erases again who was erased, then lets calls in and starts to rebuild the copy. Call it once all rows are put. */
  finish(): Promise<RestoreProgress>;
  /** Returns how far the rebuild of the copy has come. */
  rebuilt(): RestoreProgress & { progress: number };
  /** Lets calls in again, after a restore that did not happen. */
  reopen(job: string): void;
};

export type RestoreStepName = keyof RestoreSteps;
