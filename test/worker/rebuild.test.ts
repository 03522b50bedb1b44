// Rebuilding the copy in D1: failures halfway, concurrent rebuilds, and late writes of an earlier one.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { auditFailures, type Enterprise, expectProblem, objectOf, operator, projectNow } from "./api.ts";
import { alarmOf, copyOf, D1, laterReport, newBusyEnterprise, repairD1, replaceD1 } from "./copy-fixture.ts";

describe("a rebuild", () => {
  /** Lets this many batches reach D1 and fails the later ones. */
  async function failAfter(e: Enterprise, batches: number): Promise<void> {
    let passed = 0;
    const batch = (statements: D1PreparedStatement[]) => {
      if (++passed > batches) throw new Error("D1_ERROR: Network connection lost.");
      return D1.batch(statements);
    };
    await replaceD1(e, { prepare: (sql: string) => D1.prepare(sql), batch } as D1Database);
  }

  it("that fails halfway is repeated by the alarm, also after an eviction", async () => {
    for (const evicted of [false, true]) {
      const e = await newBusyEnterprise();
      await projectNow(e.id);
      const before = await copyOf(e);
      await failAfter(e, 2);
      expectProblem(await operator("POST", `${e.path}/rebuild`), 503, "ledger_busy");
      expect((await copyOf(e)).runs).toEqual([]);
      if (evicted) await evictDurableObject(objectOf(e.id));
      await repairD1(e);
      expect(await alarmOf(e)).not.toBeNull();
      await projectNow(e.id);
      expect(await copyOf(e)).toEqual(before);
      expect(await auditFailures(e)).toEqual([]);
    }
  });

  it("requested twice at once runs twice, one after the other", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    const answers = await Promise.all([1, 2].map(() => operator("POST", `${e.path}/rebuild`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await copyOf(e)).toEqual(before);
  });

  it("is not undone by an earlier rebuild's deletion that arrives late", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    let late: D1PreparedStatement[] = [];
    const batch = async (statements: D1PreparedStatement[]) => {
      if (late.length > 0) return D1.batch(statements);
      late = statements;
      throw new Error("D1_ERROR: D1 DB storage operation exceeded timeout.");
    };
    await replaceD1(e, { prepare: (sql: string) => D1.prepare(sql), batch } as D1Database);
    expectProblem(await operator("POST", `${e.path}/rebuild`), 503, "ledger_busy");
    await projectNow(e.id);
    await runInDurableObject(objectOf(e.id), () => D1.batch(late));
    expect(await copyOf(e)).toEqual(before);
  });

  it("replaces a copy that is ahead of the ledger, as after a restore to an earlier time", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    await env.DB.prepare("UPDATE enterprises SET revision = revision + 1000, name = 'Later' WHERE id = ?")
      .bind(e.id)
      .run();
    await operator("POST", `${e.path}/rebuild`);
    expect(await copyOf(e)).toEqual(before);
    const { name } = (await env.DB.prepare("SELECT name FROM enterprises WHERE id = ?").bind(e.id).first()) ?? {};
    expect(name).toBe("Acme");
    await e.debit(laterReport("r1", 9));
    await projectNow(e.id);
    expect(await auditFailures(e)).toEqual([]);
  });
});
