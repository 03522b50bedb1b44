// Where workerd stores its SQLite files below the folder of a runtime's state.
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** The D1 database that holds the copy. */
export function databaseOfCopy(directory: string): string {
  const folder = join(directory, "d1", "miniflare-D1DatabaseObject");
  const file = readdirSync(folder).find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name));
  if (file === undefined) throw new Error(`there is no database in ${folder}`);
  return join(folder, file);
}

/** The database of an enterprise's object. */
export function databaseOfObject(directory: string, objectId: string): string {
  return join(directory, "do", "fuelgauge-EnterpriseObject", `${objectId}.sqlite`);
}
