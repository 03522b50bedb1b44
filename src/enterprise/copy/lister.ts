/**
 * Keeps the operator's list up to date for an enterprise whose copy is not in its directory (copy/listing.ts). A listing
 * is written when the enterprise's name or state changes, and at most once a minute for its numbers, so that the
 * directory does not get the writes of all shards.
 */
import { type Listing, writeListing } from "../../copy/listing.ts";
import { directoryOf } from "../../copy/shards.ts";
import { attentionOf } from "../../ledger/attention.ts";
import type { AtMs } from "../../ledger/time.ts";
import { loadShard } from "../books/copy-shard.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import { NEVER } from "../jobs/next-alarm.ts";
import type { Platform } from "../platform.ts";
import { loadMove } from "./move-cursor.ts";
import { headOf, settingsRevision } from "./projection.ts";

const EVERY_MS = 60_000;
const NOW = 0;

/** Returns when the listing is due, by the real clock; NEVER if it has everything or the copy is in the directory. */
export function listingDueAtMs(ledger: Ledger): AtMs {
  const { sql } = ledger;
  const shard = loadShard(sql);
  const directory = directoryOf(shard);
  // While the copy moves into the directory, the move writes the row.
  if (directory === shard || loadMove(sql)?.to === directory) return NEVER;
  const atMs = getProgress(sql, "listed_at");
  if (atMs === 0 || getProgress(sql, "listed_settings") !== settingsRevision(sql)) return NOW;
  if (getProgress(sql, "listed_seq") === ledger.books.seq) return NEVER;
  return getProgress(sql, "listed_attention") === attentionNow(ledger) ? atMs + EVERY_MS : NOW;
}

/** Writes the listing now, if the copy is not in the directory. */
export async function list(ledger: Ledger, platform: Platform): Promise<void> {
  const { sql } = ledger;
  const shard = loadShard(sql);
  const listing = sql.transaction(() => takeListing(ledger, shard));
  const listed = { settings: settingsRevision(sql), seq: ledger.books.seq, attention: attentionNow(ledger) };
  await writeListing(platform.database(directoryOf(shard)), listing);
  if (loadShard(sql) !== shard) return;
  sql.transaction(() => {
    setProgress(sql, "listed_at", platform.clock.realNowMs());
    setProgress(sql, "listed_settings", listed.settings);
    setProgress(sql, "listed_seq", listed.seq);
    setProgress(sql, "listed_attention", listed.attention);
  });
}

/** Forgets what was listed, so that the next alarm lists the enterprise again. */
export function forgetListing({ sql }: Ledger): void {
  setProgress(sql, "listed_at", 0);
}

function takeListing(ledger: Ledger, shard: string): Listing {
  return { ...headOf(ledger, ledger.gauge()), settingsRevision: settingsRevision(ledger.sql), shard };
}

function attentionNow(ledger: Ledger): number {
  return attentionOf(ledger.gauge(), ledger.books.settings.suspended);
}
