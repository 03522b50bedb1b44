/** Stores which D1 database holds this enterprise's copy, by the name of its binding. */
import { FIRST_SHARD } from "../../copy/shards.ts";
import type { Sql } from "./sql.ts";

/** Absent: the database of every enterprise that was created before there was more than one. */
export const COPY_SHARD_STEP = [
  "CREATE TABLE copy_shard (only INTEGER PRIMARY KEY CHECK (only = 1), shard TEXT NOT NULL) STRICT",
];

export function loadShard(sql: Sql): string {
  return (sql.all("SELECT shard FROM copy_shard")[0]?.shard as string | undefined) ?? FIRST_SHARD;
}

export function putShard(sql: Sql, shard: string): void {
  sql.run("INSERT OR REPLACE INTO copy_shard VALUES (1, ?)", shard);
}
