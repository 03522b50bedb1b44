// Rebuilding the copy in D1: failures halfway, concurrent rebuilds, late writes, and what readers see meanwhile.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { auditFailures, type Enterprise, objectOf, operator, projectNow } from "./api.ts";
import { alarmOf, copyOf, D1, laterReport, newBusyEnterprise, repairD1, replaceD1 } from "./copy-fixture.ts";

/** Lets this many batches reach D1 and fails the later ones. */
async function failAfter(e: Enterprise, batches: number): Promise<void> {
  let passed = 0;
  const batch = (statements: D1PreparedStatement[]) => {
    if (++passed > batches) throw new Error("D1_ERROR: Network connection lost.");
    return D1.batch(statements);
  };
  await replaceD1(e, { prepare: (sql: string) => D1.prepare(sql), batch } as D1Database);
}

const readJob = async (job: string) => (await operator("GET", `/v1/jobs/${job}`)).body;

const revise = (e: Enterprise, sql: string) => env.DB.prepare(sql).bind(e.id).run();

describe("a rebuild", () => {
  it.each([1, 2, 3, 4])(
    "that fails after %i batches is continued by the alarm, and readers miss nothing",
    async (batches) => {
      for (const evicted of [false, true]) {
        const e = await newBusyEnterprise();
        await projectNow(e.id);
        const before = await copyOf(e);
        await revise(e, "INSERT INTO names (enterprise, kind, id, name, revision) VALUES (?, 'user', 'ghost', 'G', 1)");
        const withGhost = await copyOf(e);
        await failAfter(e, batches);
        const asked = await operator("POST", `${e.path}/rebuild`);
        expect([asked.status, asked.body]).toEqual([202, { job: expect.any(String) }]);
        expect(await copyOf(e)).toEqual(withGhost);
        if (evicted) await evictDurableObject(objectOf(e.id));
        await repairD1(e);
        expect(await alarmOf(e)).not.toBeNull();
        await expect.poll(async () => (await readJob(asked.body.job)).state).toBe("done");
        expect(await copyOf(e)).toEqual(before);
        expect(await readJob(asked.body.job)).toMatchObject({ name: "rebuild", enterprise: e.id, progress: 1 });
      }
    },
  );

  it("requested twice at once runs once", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    const answers = await Promise.all([1, 2].map(() => operator("POST", `${e.path}/rebuild`)));
    expect(answers.map(({ status, body }) => [status, body])).toEqual(
      [1, 2].map(() => [200, { rebuilt: true, batches: 7 }]),
    );
    expect(await copyOf(e)).toEqual(before);
  });

  it("is not changed by a batch of an earlier generation that arrives late", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    await e.debit({
      ...laterReport("r1", 9),
      run: "late",
      surface: "web",
      workspace: "w9",
      user: "u9",
      started_at: "2026-03-31T22:30:00Z",
    });
    let late: D1PreparedStatement[] = [];
    const batch = async (statements: D1PreparedStatement[]) => {
      if (late.length > 0) return D1.batch(statements);
      late = statements;
      throw new Error("D1_ERROR: D1 DB storage operation exceeded timeout.");
    };
    await replaceD1(e, { prepare: (sql: string) => D1.prepare(sql), batch } as D1Database);
    await projectNow(e.id);
    await repairD1(e);
    await e.debit({ ...laterReport("late", 20), final: true });
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    await projectNow(e.id);
    const before = await copyOf(e);
    await revise(e, "DELETE FROM runs WHERE enterprise = ? AND run = 'late'");
    const without = await copyOf(e);
    await runInDurableObject(objectOf(e.id), () => D1.batch(late));
    expect(await copyOf(e)).toEqual(without);
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    expect(await copyOf(e)).toEqual(before);
  });

  it("replaces a copy that is ahead of the ledger, as after a restore to an earlier time", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    await revise(e, "UPDATE enterprises SET revision = revision + 1000, generation = 7, name = 'Later' WHERE id = ?");
    await revise(
      e,
      "UPDATE runs SET revision = revision + 1000, generation = 7, charged_micros = 1 WHERE enterprise = ?",
    );
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    expect(await copyOf(e)).toEqual(before);
    const { name } = (await env.DB.prepare("SELECT name FROM enterprises WHERE id = ?").bind(e.id).first()) ?? {};
    expect(name).toBe("Acme");
    await e.debit(laterReport("r1", 9));
    await projectNow(e.id);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("of a copy that is ahead of the ledger begins by itself with the next change", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    await revise(e, "UPDATE enterprises SET revision = revision + 1000 WHERE id = ?");
    await revise(e, "UPDATE runs SET revision = revision + 1000, charged_micros = 1 WHERE enterprise = ?");
    await e.debit(laterReport("r1", 9));
    await expect
      .poll(async () => {
        await projectNow(e.id);
        return auditFailures(e);
      })
      .toEqual([]);
  });
});
