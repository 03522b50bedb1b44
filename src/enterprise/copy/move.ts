/**
 * Moves this enterprise's copy to another D1 database. While the job writes all rows there, page by page, each batch of
 * changes goes to both databases. Once the new one has everything, readers are sent to it, in one transaction. The rows
 * in the old one are deleted a minute later, so a reader that began before the move can finish. A batch that did not
 * reach the new database is noticed by its head; then the job writes all pages again. It is a sliced job.
 */
import { COPY_TABLES, closeCopy, deleteHead, deletePage } from "../../copy/delete-copy.ts";
import { directoryOf } from "../../copy/shards.ts";
import { SWEEP_START, SWEPT, sweepPage } from "../../copy/sweep.ts";
import { readHead, writeBatch } from "../../copy/write.ts";
import { loadShard, putShard } from "../books/copy-shard.ts";
import { ERASE } from "../books/erasures.ts";
import { loadJob } from "../books/job-rows.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import type { Step } from "../jobs/sliced-job.ts";
import type { Platform } from "../platform.ts";
import { within } from "../within.ts";
import { type CopyWriter, confirmedRevision, isRebuilding } from "./copy-writer.ts";
import { forgetListing, list } from "./lister.ts";
import type { MoveCursor } from "./move-cursor.ts";
import { SNAPSHOT_PARTS, SNAPSHOT_START, takePage } from "./snapshot.ts";

/** How long readers may continue in the old database, and late writes may arrive there. */
const GRACE_MS = 60_000;
const WAIT_MS = 1_000;
const ANNOUNCE_TIMEOUT_MS = 5_000;
const STEPS = SNAPSHOT_PARTS + SWEPT.length + COPY_TABLES.length;

/** The jobs that change rows of the copy other than by batches. They wait while the copy has two databases. */
const WRITE_ONE_DATABASE = ["retention", ERASE];

type MoveDeps = { ledger: Ledger; platform: Platform; writer: CopyWriter };

/** Returns the cursor of a move that begins. */
export function moveTo(ledger: Ledger, to: string): MoveCursor {
  return restart({ from: loadShard(ledger.sql), to });
}

export function sliceMove(deps: MoveDeps, cursor: MoveCursor): Promise<Step<MoveCursor>> {
  const { writer } = deps;
  const { place } = cursor;
  if (place === "announce") return announce(deps, cursor);
  if (typeof place === "object" && "clear" in place) return clear(deps, cursor, place.clear);
  return writer.inTurn(async () => {
    if (mustWait(deps.ledger, cursor)) return { next: cursor, pauseMs: WAIT_MS };
    if (cursor.generation === null) return begin(deps, cursor);
    if (place === "flip") return flip(deps, cursor);
    return "write" in place ? writePage(deps, cursor, place.write) : sweep(deps, cursor, place.sweep);
  });
}

/** A rebuild begins another generation, and some jobs change rows of one database only. None may overlap a move. */
function mustWait({ sql }: Ledger, { generation }: MoveCursor): boolean {
  if (isRebuilding(sql)) return true;
  return generation === null && WRITE_ONE_DATABASE.some((name) => loadJob(sql, name)?.state === "running");
}

/** Begins a generation above everything that both databases have. */
async function begin({ ledger, platform }: MoveDeps, cursor: MoveCursor): Promise<Step<MoveCursor>> {
  const { sql, id } = ledger;
  const head = await readHead(platform.database(cursor.to), id);
  const generation = Math.max(head?.generation ?? 0, getProgress(sql, "generation")) + 1;
  return {
    next: { ...cursor, generation },
    commit: () => {
      setProgress(sql, "generation", Math.max(generation, getProgress(sql, "generation")));
      setProgress(sql, "copy", Math.max(head?.revision ?? 0, getProgress(sql, "copy")));
    },
  };
}

async function writePage(
  { ledger, platform }: MoveDeps,
  cursor: MoveCursor,
  place: Extract<MoveCursor["place"], { write: unknown }>["write"],
): Promise<Step<MoveCursor>> {
  const { batch, next } = takePage(ledger, place);
  const sinceRevision = cursor.sinceRevision ?? batch.revision;
  const head = await writeBatch(platform.database(cursor.to), batch);
  if (head.generation !== cursor.generation || head.sinceRevision > sinceRevision) return { next: restart(cursor) };
  const written = { ...cursor, sinceRevision, batches: cursor.batches + 1 };
  const detail = `wrote ${written.batches} batches to ${cursor.to}`;
  return {
    next: { ...written, place: next === null ? { sweep: SWEEP_START } : { write: next } },
    progress: (place.part + 1) / STEPS,
    detail,
  };
}

async function sweep(
  { ledger, platform }: MoveDeps,
  cursor: MoveCursor,
  place: Extract<MoveCursor["place"], { sweep: unknown }>["sweep"],
): Promise<Step<MoveCursor>> {
  const next = await sweepPage(platform.database(cursor.to), ledger.id, cursor.generation as number, place);
  const progress = (SNAPSHOT_PARTS + place.table) / STEPS;
  return { next: { ...cursor, place: next === null ? "flip" : { sweep: next } }, progress };
}

/** Sends readers and writers to the new database, if it has every batch that the old one has confirmed. */
async function flip({ ledger, platform }: MoveDeps, cursor: MoveCursor): Promise<Step<MoveCursor>> {
  const { sql, id } = ledger;
  const next: MoveCursor = { ...cursor, place: "announce" };
  if (loadShard(sql) === cursor.to) return { next };
  const [generation, sinceRevision] = [cursor.generation as number, cursor.sinceRevision as number];
  const head = await readHead(platform.database(cursor.to), id);
  const isComplete =
    head?.generation === generation &&
    head.generation === getProgress(sql, "generation") &&
    head.sinceRevision <= sinceRevision &&
    head.revision >= confirmedRevision(sql);
  if (!isComplete) return { next: restart(cursor) };
  // Not in `commit`: no batch may be written between this decision and the change.
  sql.transaction(() => {
    putShard(sql, cursor.to);
    setProgress(sql, "complete_since", Math.max(sinceRevision, getProgress(sql, "complete_since")));
    // A batch for the old database that arrives late belongs to an earlier generation, so it writes nothing there.
    setProgress(sql, "generation", generation + 1);
    forgetListing(ledger);
  });
  return { next };
}

/** Records the move in the catalog, and lists the enterprise in its directory. */
async function announce({ ledger, platform }: MoveDeps, cursor: MoveCursor): Promise<Step<MoveCursor>> {
  const noted = platform.moves.note(ledger.id, cursor.to);
  await within(platform.defer, ANNOUNCE_TIMEOUT_MS, noted);
  if (directoryOf(cursor.to) !== cursor.to) await list(ledger, platform);
  return { next: { ...cursor, place: { clear: 0 } }, detail: `reads ${cursor.to}`, pauseMs: GRACE_MS };
}

/** Deletes a page of the old database. If that is the directory, its row of the enterprise stays as the listing. */
async function clear({ ledger, platform }: MoveDeps, cursor: MoveCursor, table: number): Promise<Step<MoveCursor>> {
  const { from, to, batches } = cursor;
  const old = platform.database(from);
  const isDirectory = directoryOf(to) === from;
  if (table === 0 && !isDirectory) await closeCopy(old, ledger.id);
  const name = COPY_TABLES[table]?.table;
  if (name === undefined) {
    if (!isDirectory) await deleteHead(old, ledger.id);
    return { done: `moved from ${from} to ${to} in ${batches} batches` };
  }
  const more = name === "enterprise_search" && isDirectory ? false : await deletePage(old, ledger.id, table);
  const progress = (SNAPSHOT_PARTS + SWEPT.length + table) / STEPS;
  return { next: { ...cursor, place: { clear: more ? table : table + 1 } }, progress };
}

function restart({ from, to }: Pick<MoveCursor, "from" | "to">): MoveCursor {
  return { from, to, generation: null, sinceRevision: null, batches: 0, place: { write: SNAPSHOT_START } };
}
