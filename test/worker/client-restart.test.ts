// A client process that is killed and restarted continues its runs from the totals it saved.
import { describe, expect, it } from "vitest";
import type { Totals } from "../../packages/client/src/fuelgauge.ts";
import { CREDIT } from "./api.ts";
import { newWorld, output, type Sent } from "./client-world.ts";

const MINUTE_MS = 60_000;
const isDebit = ({ path }: Sent) => path.endsWith("/debits");

describe("a process that is killed and restarted", () => {
  it("continues the same run from its saved totals, charged as one run", async () => {
    const { clock, network, connect, finish, enterprise } = await newWorld();
    const disk: { totals: Record<string, Totals> } = { totals: {} };
    const keep = (totals: Record<string, Totals>) => {
      disk.totals = structuredClone(totals);
    };
    let spent = 0;
    let killed = 0;
    let count = 0;
    network.fault = (request) =>
      isDebit(request) ? (([null, "lost", null, "down"] as const)[count++ % 4] ?? null) : null;
    for (let life = 1; life <= 8; life++) {
      const client = connect();
      const run = await client.start("run-1", { totals: disk.totals, keep });
      // Usage that was not yet saved is lost with the process. The ledger never knows more than was saved.
      spent = disk.totals["gpt-5"]?.output_tokens ?? 0;
      expect((await enterprise.receipt("run-1")).charged_micros).toBeLessThanOrEqual(spent * 1_000);
      for (let call = 0; call < 3; call++) {
        const { update, end } = run.call();
        for (let tokens = 10; tokens <= 100; tokens += 10) {
          update("gpt-5", output(tokens));
          await clock.pass(40 * life);
        }
        end();
        spent += 100;
      }
      if (life < 8) {
        client.close();
        killed += 1;
      } else await finish(run, MINUTE_MS);
    }
    const { meters, charged_micros, final } = await enterprise.receipt("run-1");
    expect(killed).toBe(7);
    expect(meters).toMatchObject([{ usage: output(spent) }]);
    expect([charged_micros, final]).toEqual([spent * 1_000, true]);
    expect(spent).toBeGreaterThan(1_500);
  });

  it("has saved its totals before it reports them", async () => {
    const { clock, connect, used } = await newWorld();
    const keep = () => new Promise<void>((kept) => clock.after(500, kept));
    const run = await connect().start("run-1", { keep });
    run.report("gpt-5", output(1_000));
    await clock.pass(499);
    expect(await used()).toBe(0);
    await clock.pass(1);
    expect(await used()).toBe(CREDIT);
  });

  it("sends totals that were saved but not sent, and cannot restart a finished run", async () => {
    const { clock, connect, finish, used } = await newWorld();
    const first = connect();
    const run = await first.start("run-1");
    run.report("gpt-5", output(700));
    const kept = run.totals;
    first.close();
    const again = await connect().start("run-1", { totals: kept });
    await clock.pass(0);
    expect(await used()).toBe(0.7 * CREDIT);
    again.report("gpt-5", output(1_000));
    await finish(again);
    expect(await used()).toBe(CREDIT);
    const third = await connect().startRun({ run: "run-1", surface: "web", workspace: "w1", user: "u1" });
    expect(third).toMatchObject({ admitted: false, refusal: { code: "run_closed", status: 409 } });
  });

  it("is warned if it continues a run without passing its totals", async () => {
    const { connect, troubles } = await newWorld();
    await connect().start("run-1");
    await connect().start("run-1", { totals: {} });
    expect(troubles).toEqual([]);
    await connect().start("run-1");
    expect(troubles).toMatchObject([{ kind: "totals_missing", run: "run-1" }]);
  });

  it.each([
    ["fails", () => Promise.reject(new Error("disk full")), "Error: disk full"],
    ["throws", thrower("read-only"), "Error: read-only"],
    ["never ends", () => new Promise(() => {}), "not kept within 5000 ms"],
  ])("reports usage and a trouble even if saving the totals %s", async (_how, keep, detail) => {
    const { connect, finish, used, troubles } = await newWorld();
    const run = await connect().start("run-1", { keep });
    run.report("gpt-5", output(1_000));
    await finish(run, 15_000);
    expect(await used()).toBe(CREDIT);
    expect(troubles[0]).toMatchObject({ kind: "keep_failed", run: "run-1", detail });
  });
});

function thrower(message: string): () => never {
  return () => {
    throw new Error(message);
  };
}
