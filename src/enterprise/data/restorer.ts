/**
 * Takes one enterprise's object back to an earlier moment. The catalog drives it (src/catalog/restores.ts), because what
 * the object stores is replaced on the way. Its methods are the steps, which restore-steps.ts
 * describes. While a restore is under way, every other call and the alarm do nothing.
 */
import type {
  KeptPlace,
  KeptRows,
  RestoreNumbers,
  RestoreProgress,
  RestoreSteps,
} from "../../catalog/restore-steps.ts";
import { addToCheckpoint } from "../../ledger/checkpoint.ts";
import type { By, CheckpointFacts } from "../../ledger/entries.ts";
import { type Refused, refuse } from "../../ledger/refusals.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import { loadShard, putShard } from "../books/copy-shard.ts";
import { ERASE } from "../books/erasures.ts";
import { loadJob } from "../books/job-rows.ts";
import type { Keyring } from "../books/keyring.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import { deleteRestoring, loadRestoring, putRestoring } from "../books/restoring.ts";
import { migrate, schemaStep } from "../books/schema.ts";
import { loadWaitingState, noteRestored } from "../books/waiting.ts";
import type { CopyWriter } from "../copy/copy-writer.ts";
import { REBUILD, REBUILD_START } from "../copy/copy-writer.ts";
import { loadMove } from "../copy/move-cursor.ts";
import { endAudit } from "../jobs/audit.ts";
import type { JobRunner } from "../jobs/runner.ts";
import type { Platform } from "../platform.ts";
import { CLOSE_RESTARTING } from "../sockets/sockets.ts";
import { loadKept, putKept } from "./kept-access.ts";
import { FIND_START, type FindPlace, findUsers } from "./user-ids.ts";

/** How far the earlier file has been brought up to date. */
type Cursor =
  | { stage: "count"; seq: number; after: number; facts: CheckpointFacts | null; by?: By }
  | { stage: "put"; by?: By }
  | { stage: "find"; place: FindPlace };

const RAISED = [
  "names_revision",
  "settings_revision",
  "copy",
  "generation",
  "export_change",
  "restores",
  "deliveries_failed",
  "deliveries_failed_recorded",
] as const;

/** Jobs that the earlier moment interrupts. They would continue with what the copy had at that time. */
const INTERRUPTED = ["audit", REBUILD, "move"];
const BY_OPERATOR: By = "operator";
const PAGE_ROWS = 500;
const ERASE_SLICES = 60;
const ERASE_PAUSE_MS = 200;
const REBUILD_PAUSE_MS = 2_000;
const MAX_DAYS_BACK = 30;
const DONE: RestoreProgress = { done: true, pauseMs: 0 };
const MORE: RestoreProgress = { done: false, pauseMs: 0 };

type RestorerDeps = {
  ledger: Ledger;
  platform: Platform;
  keyring: Keyring;
  jobs: JobRunner;
  writer: CopyWriter;
};

export class Restorer implements RestoreSteps {
  /** Whether a restore is under way; null until it is loaded. */
  #underWay: boolean | null = null;

  constructor(readonly deps: RestorerDeps) {}

  /** Whether nothing but a restore may happen now. */
  get underWay(): boolean {
    const { ledger } = this.deps;
    if (!ledger.provisioned) return false;
    this.#underWay ??= loadRestoring(ledger.sql) !== null;
    return this.#underWay;
  }

  /** Returns why the object cannot be taken back to this moment; null if it can. */
  async check(atMs: AtMs): Promise<Refused | null> {
    const { ledger, platform } = this.deps;
    if ((await platform.recovery?.isSupported()) !== true) return refuse({ code: "not_supported" });
    const nowMs = platform.clock.realNowMs();
    if (atMs >= nowMs || atMs < nowMs - MAX_DAYS_BACK * DAY_MS) {
      return refuseTime(`must be in the past, at most ${MAX_DAYS_BACK} days ago`);
    }
    const { createdAtMs, testClockMs, demo } = ledger.identity;
    // By a test clock, nobody knows when the enterprise was created. Then the restore finds out.
    if (testClockMs === null && !demo && atMs < createdAtMs) return refuseTime("is before the enterprise was created");
    // A move writes to two databases. It ends by itself.
    return loadMove(ledger.sql) === null ? null : refuse({ code: "ledger_busy" });
  }

  async close(job: string): Promise<void> {
    const { ledger, platform, writer } = this.deps;
    if (!ledger.provisioned) throw new Error("there is no enterprise to restore");
    const known = loadRestoring(ledger.sql);
    if (known === null) putRestoring(ledger.sql, { job, arrived: false, cursor: null });
    else if (known.job !== job) throw new Error(`job ${known.job} is restoring the enterprise`);
    this.#underWay = true;
    for (const socket of platform.sockets.all()) socket.close(CLOSE_RESTARTING, "the enterprise is being restored");
    // A write to D1 that is under way ends first.
    await writer.inTurn(async () => {});
  }

  read(place: KeptPlace): ReturnType<typeof loadKept> & { numbers: RestoreNumbers } {
    const { sql, books } = this.deps.ledger;
    const numbers = {
      seq: books.seq,
      waiting: loadWaitingState(sql).revision,
      shard: loadShard(sql),
      progress: Object.fromEntries(RAISED.map((name) => [name, getProgress(sql, name)])),
    };
    return { ...loadKept(sql, place), numbers };
  }

  async leave(to: { atMs: AtMs } | { bookmark: string }): Promise<{ undo: string }> {
    const { recovery } = this.deps.platform;
    if (recovery === undefined) throw new Error("the platform has no recovery");
    const bookmark = "bookmark" in to ? to.bookmark : await recovery.bookmarkAt(to.atMs);
    return { undo: await recovery.startNextAt(bookmark) };
  }

  restart(): void {
    this.deps.platform.recovery?.restart();
  }

  arrive(job: string, numbers: RestoreNumbers): "waiting" | "empty" | "arrived" {
    const { ledger, keyring, jobs } = this.deps;
    const { sql } = ledger;
    if (schemaStep(sql) === 0) return "empty";
    migrate(sql);
    reload(ledger);
    if (!ledger.provisioned) return "empty";
    const known = loadRestoring(sql);
    this.#underWay = true;
    if (known?.job === job) return known.arrived ? "arrived" : "waiting";
    sql.transaction(() => {
      const cursor: Cursor = { stage: "count", seq: numbers.seq, after: 0, facts: null, by: numbers.by ?? BY_OPERATOR };
      putRestoring(sql, { job, arrived: true, cursor });
      for (const name of RAISED) {
        setProgress(sql, name, Math.max(getProgress(sql, name), numbers.progress[name] ?? 0));
      }
      setProgress(sql, "restores", getProgress(sql, "restores") + 1);
      putShard(sql, numbers.shard);
      noteRestored(sql, numbers.waiting);
      endAudit(sql);
      sql.run(
        `UPDATE jobs SET state = 'failed', detail = 'the enterprise was restored', due_at_ms = NULL
          WHERE state = 'running' AND name IN (SELECT value FROM json_each(?))`,
        JSON.stringify(INTERRUPTED),
      );
      // The kept rows are all that is still needed of these.
      sql.run("DELETE FROM sign_outs");
    });
    reload(ledger);
    keyring.forget();
    jobs.reload();
    return "arrived";
  }

  count(): RestoreProgress {
    const { ledger } = this.deps;
    const { sql, store } = ledger;
    const cursor = this.#cursor();
    if (cursor.stage !== "count") return DONE;
    const page = store.loadEntriesAfter(cursor.after, PAGE_ROWS);
    let { facts } = cursor;
    for (const entry of page) {
      facts = addToCheckpoint(facts, entry.facts);
      if (facts === null) throw new Error("a sum of the journal exceeds 2^53-1");
    }
    if (page.length === PAGE_ROWS) {
      this.#putCursor({ ...cursor, facts, after: page.at(-1)?.seq ?? 0 });
      return MORE;
    }
    if (facts === null) throw new Error("the journal has no entries");
    const { by = BY_OPERATOR } = cursor;
    const { seq: lastSeq } = ledger.books;
    const seq = Math.max(cursor.seq, lastSeq) + 1;
    // It stands for every number since the last step, so that none is missing.
    const checkpoint = { ...facts, entries: seq - lastSeq };
    sql.transaction(() => {
      store.addEntries([{ seq, atMs: ledger.nowMs(), by, facts: checkpoint }]);
      sql.run("UPDATE enterprise SET seq = ?", seq);
      this.#putCursor({ stage: "put", by });
    });
    reload(ledger);
    return DONE;
  }

  put(kept: KeptRows): void {
    const { ledger, keyring } = this.deps;
    const cursor = this.#cursor();
    if (cursor.stage !== "put") return;
    const { by = BY_OPERATOR } = cursor;
    ledger.apply((change) => {
      for (const replacement of putKept(ledger.sql, kept)) {
        change.takeSeq();
        change.record([{ atMs: change.nowMs, by, facts: { type: "user_erased", replacement } }]);
      }
    });
    ledger.store.erasures.forget();
    keyring.forget();
  }

  async finish(): Promise<RestoreProgress> {
    const { ledger, jobs } = this.deps;
    const { sql, store } = ledger;
    if (loadRestoring(sql) === null) return DONE;
    const cursor = this.#cursor();
    if (cursor.stage === "count") throw new Error("the journal was not summed up");
    if (store.erasures.anyUnknown) {
      const { ids, next } = findUsers(sql, cursor.stage === "find" ? cursor.place : FIND_START);
      sql.transaction(() => {
        store.erasures.recognize(ids);
        if (next === null) store.erasures.endSearch();
        this.#putCursor({ stage: "find", place: next ?? FIND_START });
      });
      return MORE;
    }
    if (store.erasures.next() !== null || loadJob(sql, ERASE)?.state === "running") {
      await jobs.start(ERASE, null);
      await jobs.runSlices(ERASE, ERASE_SLICES);
      return { done: false, pauseMs: ERASE_PAUSE_MS };
    }
    this.#open();
    return DONE;
  }

  rebuilt(): RestoreProgress & { progress: number } {
    const job = loadJob(this.deps.ledger.sql, REBUILD);
    const done = job?.state !== "running";
    return { done, pauseMs: REBUILD_PAUSE_MS, progress: job?.progress ?? 1 };
  }

  reopen(job: string): void {
    const { ledger, jobs } = this.deps;
    if (ledger.provisioned && loadRestoring(ledger.sql)?.job === job) deleteRestoring(ledger.sql);
    this.#underWay = null;
    reload(ledger);
    if (ledger.provisioned) jobs.reload();
  }

  /** Lets calls in. The copy counts as incomplete until it is rebuilt, because it has what was undone. */
  #open(): void {
    const { ledger, jobs } = this.deps;
    const { sql } = ledger;
    sql.transaction(() => {
      // D1 has no batch with this revision.
      const revision = getProgress(sql, "copy") + 1;
      setProgress(sql, "copy", revision);
      setProgress(sql, "confirmed", revision);
      // The catalog has forgotten these.
      for (const name of ["listed_at", "copy_late_noted", "size_noted_at"] as const) setProgress(sql, name, 0);
      deleteRestoring(sql);
      ledger.startJob(REBUILD, REBUILD_START);
    });
    this.#underWay = false;
    reload(ledger);
    jobs.reload();
  }

  #cursor(): Cursor {
    const restoring = loadRestoring(this.deps.ledger.sql);
    if (restoring?.arrived !== true) throw new Error("the object has not gone back");
    return restoring.cursor as Cursor;
  }

  #putCursor(cursor: Cursor): void {
    const { sql } = this.deps.ledger;
    putRestoring(sql, { job: loadRestoring(sql)?.job ?? "", arrived: true, cursor });
  }
}

function refuseTime(message: string): Refused {
  return refuse({ code: "validation_failed", errors: [{ path: "at", message }] });
}

/** Forgets everything in memory, because rows were replaced. */
function reload(ledger: Ledger): void {
  ledger.forget();
  ledger.mayOweCopy = true;
  ledger.overrides.forget();
  ledger.store.erasures.forget();
  ledger.budgets.clear();
}
