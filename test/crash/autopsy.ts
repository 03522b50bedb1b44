// What a killed process has left on the disk, looked at before anything starts there again: in copies of the files, so
// that the next process finds them as they were left.
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { databaseOfCopy, databaseOfObject } from "../../tools/bench/history.ts";

/** The object of one enterprise, and its copy. */
export interface Remains {
  chargedMicros: number;
  /** The copy lacks something. */
  copyBehind: boolean;
  /** A batch had been taken for the copy and was on its way, or there and not yet confirmed. */
  batch: "none" | "on_its_way" | "unconfirmed";
}

/** Looks at an enterprise whose object has this id. */
export function examineRemains(directory: string, enterprise: string, objectId: string): Remains {
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
  const under = first !== null && Number(first) <= taken;
  const arrived = Number(copy?.seq ?? 0) >= taken;
  return {
    chargedMicros: Number(object?.charged),
    copyBehind: first !== null,
    batch: under ? (arrived ? "unconfirmed" : "on_its_way") : "none",
  };
}

/** The files of objects that were woken and have no enterprise in them: killed before their first commit was whole. */
export function countUnborn(directory: string): number {
  const home = dirname(databaseOfObject(directory, "any"));
  const files = readdirSync(home).filter((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  const born = (file: string) => {
    if (readRow(join(home, file), "SELECT 1 FROM sqlite_master WHERE name = 'enterprise'") === undefined) return false;
    return readRow(join(home, file), "SELECT 1 FROM enterprise") !== undefined;
  };
  return files.filter((file) => !born(file)).length;
}

function readRow(file: string, statement: string, ...params: string[]): Record<string, unknown> | undefined {
  const slab = mkdtempSync(join(tmpdir(), "fuelgauge-autopsy-"));
  try {
    const copy = join(slab, "copy.sqlite");
    for (const suffix of ["", "-wal"]) if (existsSync(file + suffix)) copyFileSync(file + suffix, copy + suffix);
    const database = new DatabaseSync(copy);
    const row = database.prepare(statement).get(...params);
    database.close();
    return row;
  } finally {
    rmSync(slab, { recursive: true, force: true });
  }
}
