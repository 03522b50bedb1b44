/**
 * The restores of enterprises. Going back replaces everything that an enterprise's object has stored, so the catalog
 * drives a restore and keeps what must survive it: keys, sign-outs, used links and erasures. It begins a minute after it
 * was listed, so that every isolate refuses calls by then (restoring.ts). Whatever fails is tried again.
 */
import type { By } from "../ledger/entries.ts";
import type { AtMs } from "../ledger/time.ts";
import type { JobRecord } from "./job-record.ts";
import type { KeptPlace, KeptRows, RestoreNumbers, RestoreSteps } from "./restore-steps.ts";

/** The states in which calls of the enterprise are refused, and `rebuilding`, in which only its copy is incomplete. */
type State =
  | "closing"
  | "reading"
  | "leaving"
  | "arriving"
  | "counting"
  | "putting"
  | "finishing"
  | "rebuilding"
  | "undoing"
  | "giving up";

type RestoreRow = {
  enterprise: string;
  object_id: string;
  job: string;
  at_ms: AtMs;
  state: State;
  /** Where the next page of kept rows is read from, as JSON, and the number of the next page to put back. */
  place: string;
  put: number;
  /** The numbers that must not fall, as JSON. Before they were read, only who asked for the restore. */
  numbers: string | null;
  /** The bookmark that undoes the restore; null before the object went back. */
  undo: string | null;
  failures: number;
  due_at_ms: AtMs;
  begun_at_ms: AtMs;
};

type Awaitable<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
};
/** The object of an enterprise. Its steps are calls to another process. */
export type RestoredObject = Awaitable<RestoreSteps>;

/** Isolates read the list every 30 seconds. */
const BEGIN_AFTER_MS = 60_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
/** If the platform does not take the object back after this many attempts, the restore is given up. */
const MAX_FAILURES = 8;
/** An alarm makes at most this many calls. The next alarm continues. */
const CALLS_PER_ALARM = 20;
const MAX_LISTED = 1_000;

/** How far the job is in each state. */
const PROGRESS: Record<State, number> = {
  ...{ closing: 0, reading: 0.05, leaving: 0.1, arriving: 0.15, counting: 0.2, putting: 0.3, finishing: 0.4 },
  ...{ rebuilding: 0.5, undoing: 0.9, "giving up": 0.9 },
};

type Value = string | number | null;
/** The storage of a Durable Object, as far as restores use it. The tests of plain Node have no types of the runtime. */
type RowStorage = {
  exec<T extends Record<string, Value>>(statement: string, ...values: Value[]): { toArray(): T[]; one(): T };
};

export class Restores {
  constructor(
    readonly sql: RowStorage,
    readonly putJob: (record: JobRecord) => void,
  ) {
    sql.exec(
      `CREATE TABLE IF NOT EXISTS restores (enterprise TEXT PRIMARY KEY, object_id TEXT NOT NULL, job TEXT NOT NULL,
        at_ms INTEGER NOT NULL, state TEXT NOT NULL, place TEXT NOT NULL, put INTEGER NOT NULL, numbers TEXT, undo TEXT,
        failures INTEGER NOT NULL, due_at_ms INTEGER NOT NULL, begun_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
    );
    // What must survive a restore, page by page. Deleted when the restore ends.
    sql.exec(
      `CREATE TABLE IF NOT EXISTS kept_access (enterprise TEXT NOT NULL, page INTEGER NOT NULL, kept TEXT NOT NULL,
        PRIMARY KEY (enterprise, page)) STRICT, WITHOUT ROWID`,
    );
  }

  /** Begins a restore, or returns the job of the one that is running. */
  begin(asked: { enterprise: string; objectId: string; atMs: AtMs; by: By }, nowMs: AtMs): { job: string } {
    const { enterprise, objectId, atMs, by } = asked;
    const running = this.#find(enterprise);
    if (running !== null) return { job: running.job };
    const job = crypto.randomUUID();
    const start = JSON.stringify({ table: 0, after: null } satisfies KeptPlace);
    const row = "INSERT INTO restores VALUES (?, ?, ?, ?, 'closing', ?, 0, ?, NULL, 0, ?, ?)";
    this.sql.exec(row, enterprise, objectId, job, atMs, start, JSON.stringify({ by }), nowMs, nowMs);
    this.putJob({ job, name: "restore", enterprise, state: "running", progress: 0, detail: "refusing calls" });
    return { job };
  }

  /** Whether an enterprise is being restored, its copy included. */
  isRunning(enterprise: string): boolean {
    return this.#find(enterprise) !== null;
  }

  /** Lists the enterprises whose calls must be refused. */
  listed(): string[] {
    const statement = "SELECT enterprise FROM restores WHERE state <> 'rebuilding' LIMIT ?";
    return this.sql
      .exec<{ enterprise: string }>(statement, MAX_LISTED)
      .toArray()
      .map(({ enterprise }) => enterprise);
  }

  nextDueAtMs(): AtMs | null {
    return this.sql.exec<{ at_ms: AtMs | null }>("SELECT min(due_at_ms) AS at_ms FROM restores").one().at_ms;
  }

  /**
   * Continues the restores that are due, one call after another.
   * @param onBack called once the object is back in service, because lists of the catalog may be wrong about it
   */
  async runDue(
    nowMs: () => AtMs,
    object: (objectId: string) => RestoredObject,
    onBack: (enterprise: string) => void,
  ): Promise<void> {
    for (let calls = 0; calls < CALLS_PER_ALARM; calls++) {
      const due = "SELECT * FROM restores WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT 1";
      const row = this.sql.exec<RestoreRow>(due, nowMs()).toArray()[0];
      if (row === undefined) return;
      try {
        const next = await this.#step(row, object(row.object_id), nowMs);
        if (next.state === "rebuilding" && row.state !== "rebuilding") onBack(row.enterprise);
        this.#put({ failures: 0, due_at_ms: nowMs(), ...next }, row);
      } catch (error) {
        this.#fail(row, error, nowMs());
      }
    }
  }

  /** Does the next step of a restore. Returns what it changes. */
  async #step(row: RestoreRow, object: RestoredObject, nowMs: () => AtMs): Promise<Partial<RestoreRow>> {
    const { enterprise, job, at_ms: atMs } = row;
    const numbers = JSON.parse(row.numbers ?? "{}") as RestoreNumbers;
    switch (row.state) {
      case "closing":
        await object.close(job);
        return { state: "reading", due_at_ms: row.begun_at_ms + BEGIN_AFTER_MS };
      case "reading": {
        const read = await object.read(JSON.parse(row.place) as KeptPlace);
        const page = "INSERT OR REPLACE INTO kept_access VALUES (?, ?, ?)";
        this.sql.exec(page, enterprise, row.put, JSON.stringify(read.kept));
        const changed = { numbers: JSON.stringify({ ...read.numbers, by: numbers.by }), put: row.put + 1 };
        if (read.next === null) return { ...changed, state: "leaving", put: 0 };
        return { ...changed, place: JSON.stringify(read.next) };
      }
      case "leaving": {
        const { undo } = await object.leave({ atMs });
        this.#put({ undo: row.undo ?? undo }, row);
        await restart(object);
        return { state: "arriving", failures: row.failures };
      }
      case "arriving": {
        const arrived = await object.arrive(job, numbers);
        if (arrived === "arrived") return { state: "counting" };
        if (arrived === "empty") return { state: "undoing" };
        // The platform started the object with the same file.
        this.#put({ state: "leaving" }, row);
        throw new Error("the object did not go back");
      }
      case "counting":
        return next(await object.count(), "putting", nowMs());
      case "putting": {
        const page = "SELECT kept FROM kept_access WHERE enterprise = ? AND page = ?";
        const found = this.sql.exec<{ kept: string }>(page, enterprise, row.put).toArray()[0];
        if (found === undefined) return { state: "finishing" };
        await object.put(JSON.parse(found.kept) as KeptRows);
        return { put: row.put + 1 };
      }
      case "finishing":
        return next(await object.finish(), "rebuilding", nowMs());
      case "rebuilding": {
        const { done, pauseMs, progress } = await object.rebuilt();
        if (done) this.#end(row, "done", `went back to ${new Date(atMs).toISOString()} and rebuilt the copy`);
        else this.#record(row, PROGRESS.rebuilding + (1 - PROGRESS.rebuilding) * progress, "rebuilding the copy");
        return { due_at_ms: nowMs() + pauseMs };
      }
      case "undoing":
      case "giving up": {
        const arrived = await object.arrive(job, numbers);
        // It went back although nobody heard of it.
        if (arrived === "arrived") return { state: "counting" };
        if (arrived === "empty") {
          await object.leave({ bookmark: row.undo ?? "" });
          await restart(object);
          return {};
        }
        await object.reopen(job);
        const undone = "the enterprise did not exist at that time";
        this.#end(row, "failed", row.state === "undoing" ? undone : "the platform did not take the object back");
        return {};
      }
      default:
        return row.state satisfies never;
    }
  }

  #fail(row: RestoreRow, error: unknown, nowMs: AtMs): void {
    const { enterprise } = row;
    const failures = row.failures + 1;
    console.error(
      JSON.stringify({ event: "restore_failed", enterprise, state: row.state, failures, error: String(error) }),
    );
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10));
    const givenUp = (row.state === "leaving" || row.state === "arriving") && failures >= MAX_FAILURES;
    this.#put({ failures, due_at_ms: nowMs + pauseMs, ...(givenUp && { state: "giving up" as const }) }, row);
  }

  #find(enterprise: string): RestoreRow | null {
    return this.sql.exec<RestoreRow>("SELECT * FROM restores WHERE enterprise = ?", enterprise).toArray()[0] ?? null;
  }

  /** Changes columns of a restore that has not ended. */
  #put(changed: Partial<RestoreRow>, row: RestoreRow): void {
    const columns = Object.keys(changed);
    const set = columns.map((column) => `${column} = ?`).join(", ");
    this.sql.exec(`UPDATE restores SET ${set} WHERE enterprise = ?`, ...Object.values(changed), row.enterprise);
    if (changed.state !== undefined && changed.state !== row.state)
      this.#record(row, PROGRESS[changed.state], changed.state);
  }

  #record({ job, enterprise }: RestoreRow, progress: number, detail: string): void {
    if (this.#find(enterprise) !== null) {
      this.putJob({ job, name: "restore", enterprise, state: "running", progress, detail });
    }
  }

  #end({ job, enterprise }: RestoreRow, state: "done" | "failed", detail: string): void {
    this.sql.exec("DELETE FROM restores WHERE enterprise = ?", enterprise);
    this.sql.exec("DELETE FROM kept_access WHERE enterprise = ?", enterprise);
    this.putJob({ job, name: "restore", enterprise, state, progress: 1, detail });
  }
}

function next(step: { done: boolean; pauseMs: number }, state: State, nowMs: AtMs): Partial<RestoreRow> {
  return step.done ? { state } : { due_at_ms: nowMs + step.pauseMs };
}

/** Ends the object's instance. The call fails, because nobody is left to answer it. */
async function restart(object: RestoredObject): Promise<void> {
  await object.restart().catch(() => {});
}
