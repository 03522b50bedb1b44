// Reads what a killed process left on the disk, before another one starts there. It reads copies of the files, so that
// the next process finds them unchanged.

import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { databaseOfCopy, databaseOfObject } from "../../tools/workerd/database-files.ts";

/** What the files hold of one enterprise. */
interface DiskState {
  chargedMicros: number;
  /** The copy lacks changes of the ledger. */
  copyBehind: boolean;
  /** The process was killed before the last batch reached the copy, or before the object had noted that it did. */
  batch: "none" | "on_its_way" | "unconfirmed";
}

export function readDiskState(directory: string, enterprise: string, objectId: string): DiskState {
  const outbox = "(SELECT min(last_seq) FROM outbox_items)";
  const folded = "(SELECT value FROM progress WHERE name = 'folded')";
  const object = readRow(
    databaseOfObject(directory, objectId),
    `SELECT coalesce(sum(charged_micros), 0) AS charged, ${outbox} AS first, ${folded} AS folded FROM meters`,
  );
  const copy = readRow(
    databaseOfCopy(directory),
    "SELECT gauge ->> 'seq' AS seq FROM enterprises WHERE id = ?",
    enterprise,
  );
  const [first, taken] = [object?.first ?? null, Number(object?.folded ?? 0)];
  const unconfirmed = first !== null && Number(first) <= taken;
  const arrived = Number(copy?.seq ?? 0) >= taken;
  return {
    chargedMicros: Number(object?.charged),
    copyBehind: first !== null,
    batch: unconfirmed ? (arrived ? "unconfirmed" : "on_its_way") : "none",
  };
}

/** Counts objects without an enterprise: the process was killed before their first commit. */
export function countEmptyObjects(directory: string): number {
  const folder = dirname(databaseOfObject(directory, "any"));
  const files = readdirSync(folder).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  const isEmpty = (file: string) => {
    const path = join(folder, file);
    if (readRow(path, "SELECT 1 FROM sqlite_master WHERE name = 'enterprise'") === undefined) return true;
    return readRow(path, "SELECT 1 FROM enterprise") === undefined;
  };
  return files.filter(isEmpty).length;
}

function readRow(file: string, statement: string, ...params: string[]): Record<string, unknown> | undefined {
  const folder = mkdtempSync(join(tmpdir(), "fuelgauge-disk-state-"));
  try {
    const copy = join(folder, "copy.sqlite");
    for (const suffix of ["", "-wal"]) if (existsSync(file + suffix)) copyFileSync(file + suffix, copy + suffix);
    const database = new DatabaseSync(copy);
    const row = database.prepare(statement).get(...params);
    database.close();
    return row;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
