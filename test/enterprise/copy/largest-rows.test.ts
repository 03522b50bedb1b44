// The largest rows of a cycle are found by their magnitude. Earlier releases do not write magnitudes, and a deployment may
// be taken back, so rows without a current magnitude must be listed in their right places too.
import { expect, it } from "vitest";
import { type Batch, type CycleTotal, NO_TOTALS } from "../../../src/copy/batch.ts";
import { openCopy } from "../../../src/copy/checked-copy.ts";
import { compareRange } from "../../../src/copy/compare.ts";
import { magnitudeOf } from "../../../src/copy/magnitude.ts";
import { readTop } from "../../../src/copy/read.ts";
import { allRowsOf, writeBatch } from "../../../src/copy/write.ts";
import { seededRandom, wholeBetween } from "../../../tools/kit/random.ts";
import { CopyDb } from "../../simulation/copy-db.ts";

const QUESTION = { enterprise: "acme", unit: "credits", cycleStartsAtMs: 0, dimension: "user" } as const;
const BATCH: Batch = {
  enterprise: "acme",
  createdAtMs: 0,
  name: "Acme",
  suspended: false,
  attention: 0,
  gauge: "{}",
  totals: NO_TOTALS,
  runs: [],
  entries: [],
  names: [],
  revision: 0,
  generation: 0,
  rebuild: false,
  confirmedRevision: 0,
  outboxSeq: 0,
  runsSeq: 0,
  settingsRevision: null,
};

/** More rows than there are. */
const MAX_LISTED = 1_000;

type Amounts = ReadonlyMap<string, number>;

function totalsOf(amounts: Amounts, revision: number): CycleTotal[] {
  const { unit, cycleStartsAtMs, dimension } = QUESTION;
  return [...amounts].map(([id, amountMicros]) => {
    return { unit, cycleStartsAtMs, dimension, id, requests: 1, amountMicros, revision };
  });
}

const newCopy = () => new CopyDb(async (apply) => apply());

async function write(db: CopyDb, amounts: Amounts, revision: number, generation = 0): Promise<void> {
  await writeBatch(db, {
    ...BATCH,
    totals: { ...NO_TOTALS, cycle: totalsOf(amounts, revision) },
    revision,
    generation,
  });
}

/** Writes a total as the last release does, which knows no magnitudes. */
function writeAsBefore(db: CopyDb, id: string, amountMicros: number, revision: number): void {
  db.rows(
    `INSERT INTO usage_by_dimension
        (enterprise, unit, cycle_starts_at_ms, dimension, id, requests, amount_micros, revision, generation)
      VALUES ('acme', 'credits', 0, 'user', ?1, 1, ?2, ?3, 0)
      ON CONFLICT DO UPDATE SET amount_micros = excluded.amount_micros, revision = excluded.revision`,
    id,
    amountMicros,
    revision,
  );
}

/** All rows of the table, page by page. */
async function list(db: CopyDb, limit: number): Promise<[string, number][]> {
  const copy = openCopy(db, "acme", null);
  const listed: [string, number][] = [];
  for (let after: { amountMicros: number; id: string } | null = null; listed.length < MAX_LISTED; ) {
    const rows = await readTop(copy, QUESTION, limit, after);
    const page = rows.slice(0, limit);
    listed.push(...page.map(({ id, amountMicros }): [string, number] => [id, amountMicros]));
    if (rows.length <= limit) return listed;
    after = page.at(-1) ?? null;
  }
  throw new Error("the list does not end");
}

const inOrder = (amounts: Amounts) => [...amounts].sort(([a, x], [b, y]) => y - x || (a < b ? 1 : -1));

it("gives a larger amount at least the magnitude of a smaller one", () => {
  const amounts = [-5, 0, 1, 2, 4, 5, 9, 10, 19, 20, 49, 50, 999, 1_000, 2 ** 53 - 1];
  const magnitudes = amounts.map(magnitudeOf);
  expect(magnitudes).toEqual([...magnitudes].sort((a, b) => a - b));
  expect(magnitudeOf(4)).toBe(magnitudeOf(2));
  expect(new Set(magnitudes).size).toBe(magnitudes.length - 6);
});

it.each([3, 40])("lists all rows in the order of their amounts, in pages of %i", async (limit) => {
  const random = seededRandom(limit);
  const db = newCopy();
  const amounts = new Map<string, number>();
  for (let revision = 1; revision <= 30; revision++) {
    const changed = new Map(
      Array.from({ length: 20 }, () => {
        const id = `u${wholeBetween(random, 0, 60)}`;
        const added = wholeBetween(random, -3, 10 ** wholeBetween(random, 0, 6));
        return [id, Math.floor(Math.max(0, amounts.get(id) ?? 0) * (1 + random())) + added] as const;
      }),
    );
    for (const [id, amount] of changed) amounts.set(id, amount);
    // In between, the last release runs again.
    if (revision % 5 === 0) for (const [id, amount] of changed) writeAsBefore(db, id, amount, revision);
    else await write(db, changed, revision);
  }
  expect(await list(db, limit)).toEqual(inOrder(amounts));
  const current = "SELECT count(*) AS n FROM usage_by_dimension WHERE magnitude_revision <> revision";
  expect(Number(db.rows(current)[0]?.n)).toBeGreaterThan(0);
  await write(db, amounts, 31);
  expect(db.rows(current)).toEqual([{ n: 0 }]);
  expect(await list(db, limit)).toEqual(inOrder(amounts));
});

it("keeps the magnitude of a row when an older batch arrives late", async () => {
  const db = newCopy();
  await write(db, new Map([["u1", 500]]), 2);
  await write(db, new Map([["u1", 7]]), 1);
  await write(db, new Map([["u2", 60]]), 3);
  expect(await list(db, 1)).toEqual([
    ["u1", 500],
    ["u2", 60],
  ]);
  expect(db.rows("SELECT magnitude, magnitude_revision FROM usage_by_dimension WHERE id = 'u1'")).toEqual([
    { magnitude: magnitudeOf(500), magnitude_revision: 2 },
  ]);
});

it("finds a wrong magnitude in an audit, unless an earlier release wrote the row last", async () => {
  const db = newCopy();
  const amounts = new Map([["u1", 500]]);
  await write(db, amounts, 1);
  const faults = async (revision: number, total: Amounts) => {
    const values = { ...BATCH, totals: { ...NO_TOTALS, cycle: totalsOf(total, revision) } };
    const rows = allRowsOf(values).find(({ table }) => table === "usage_by_dimension");
    if (rows === undefined) throw new Error("no rows");
    const never = () => false;
    const range = { rows, after: null, last: null, isWaiting: never, isNewer: never, isOld: never };
    return (await compareRange(db, "acme", range)).faults;
  };
  expect(await faults(1, amounts)).toEqual([]);
  db.rows("UPDATE usage_by_dimension SET magnitude = 3");
  expect(await faults(1, amounts)).toEqual([expect.stringMatching(/magnitude is 3, the ledger says 11/)]);
  writeAsBefore(db, "u1", 90_000, 2);
  expect(await faults(2, new Map([["u1", 90_000]]))).toEqual([]);
});
