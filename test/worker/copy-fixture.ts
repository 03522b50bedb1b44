/** Enterprises with rows in every table of the copy, and a D1 that fails or is slow for one object. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach } from "vitest";
import { CREDIT, costing, type Enterprise, newEnterprise, objectOf, operator, start } from "./api.ts";

export const TABLES = [
  "usage_hourly",
  "usage_daily",
  "usage_by_dimension",
  "usage_cube",
  "usage_by_model",
  "runs",
  "run_models",
  "run_cycles",
  "entries",
  "names",
];

/** All rows of the copy for an enterprise, without what depends on how often a row was written and rebuilt. */
export async function copyOf({ id }: Enterprise): Promise<Record<string, unknown[]>> {
  const read = async (table: string) => {
    const { results } = await env.DB.prepare(`SELECT * FROM ${table} WHERE enterprise = ?`).bind(id).all();
    return results
      .map(({ revision: _r, generation: _g, magnitude_revision: _m, ...row }) => JSON.stringify(row))
      .sort();
  };
  return Object.fromEntries(await Promise.all(TABLES.map(async (table) => [table, await read(table)] as const)));
}

/** A report of a known run, which needs no attribution. */
export function laterReport(run: string, credits: number) {
  const { model, usage } = costing(credits);
  return { run, model, usage };
}

/** Deletes everything that D1 has of an enterprise. */
export async function loseCopy({ id }: Enterprise): Promise<void> {
  await env.DB.batch([
    ...[...TABLES, "enterprise_search"].map((table) =>
      env.DB.prepare(`DELETE FROM ${table} WHERE enterprise = ?`).bind(id),
    ),
    env.DB.prepare("DELETE FROM enterprises WHERE id = ?").bind(id),
  ]);
}

/** Saves what D1 has of an enterprise; returns a function that takes D1 back to it. */
export async function saveCopy(e: Enterprise): Promise<() => Promise<void>> {
  const tables = [...TABLES, "enterprise_search", "enterprises"];
  const saved = await Promise.all(
    tables.map(async (table) => {
      const key = table === "enterprises" ? "id" : "enterprise";
      const { results } = await env.DB.prepare(`SELECT * FROM ${table} WHERE ${key} = ?`).bind(e.id).all();
      return { table, rows: results };
    }),
  );
  return async () => {
    await loseCopy(e);
    for (const { table, rows } of saved) {
      for (const row of rows) {
        const columns = Object.keys(row);
        const statement = `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
        await env.DB.prepare(statement)
          .bind(...Object.values(row))
          .run();
      }
    }
  };
}

/** An enterprise with rows in every table. */
export async function newBusyEnterprise(): Promise<Enterprise> {
  const e = await newEnterprise({ test_clock: "2026-03-31T22:30:00Z" });
  await operator("PUT", `${e.path}/directory`, {
    workspaces: [{ id: "w1", name: "Shop", group_id: "g1" }],
    groups: [{ id: "g1", name: "Web" }],
    users: [{ id: "u1", name: "Ada" }],
  });
  await e.grant({ id: "g" });
  const reports = (credits: number) =>
    Array.from({ length: 30 }, (_, i) =>
      costing(credits + i, { run: `r${i}`, workspace: `w${i % 4}`, user: `u${i % 5}`, surface: i % 2 ? "cli" : "web" }),
    );
  await e.debit({ reports: reports(1) });
  await e.moveTo("2026-04-01T00:30:00Z");
  await e.debit({ reports: reports(3) });
  await e.debit({ ...laterReport("r0", 1), final: true });
  await e.start(start({ run: "held", hold_micros: CREDIT }));
  return e;
}

/** Objects and tests share `env`, so the binding that a test replaced is restored after it. */
export const D1 = env.DB;
afterEach(() => {
  env.DB = D1;
});

type Fault = "before" | "after" | "slow";

/** Makes the object's D1 fail before it writes or after it has written, or makes it slow until the gate opens. */
export async function breakD1(e: Enterprise, fault: Fault, gate: Promise<void> = Promise.resolve()): Promise<void> {
  const batch = async (statements: D1PreparedStatement[]) => {
    // Readers use this D1 too. Their batches have two statements: the check of the head, and a query.
    if (statements.length === 2) return D1.batch(statements);
    if (fault === "before") throw new Error("D1_ERROR: Network connection lost.");
    if (fault === "slow") await gate;
    const results = await D1.batch(statements);
    if (fault === "after") throw new Error("D1_ERROR: D1 DB storage operation exceeded timeout.");
    return results;
  };
  await replaceD1(e, { prepare: (sql: string) => D1.prepare(sql), batch } as D1Database);
}

export const repairD1 = (e: Enterprise) => replaceD1(e, D1);

export async function replaceD1(e: Enterprise, db: D1Database): Promise<void> {
  await runInDurableObject(objectOf(e.id), (object) => {
    (object as unknown as { env: { DB: D1Database } }).env.DB = db;
  });
}

export const alarmOf = (e: Enterprise) => runInDurableObject(objectOf(e.id), (_, { storage }) => storage.getAlarm());
