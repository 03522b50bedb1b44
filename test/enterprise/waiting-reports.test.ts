// Usage without a price in a deployment (rule R13): what the catalog learns, stale prices, crashes, and many meters.
import { describe, expect, it } from "vitest";
import { loadWaitingState } from "../../src/enterprise/books/waiting.ts";
import { formatIso } from "../../src/wire/time.ts";
import { NOON, tokens } from "../support/books.ts";
import { Deployment, entry, OPERATOR } from "./deployment.ts";

describe("the catalog", () => {
  it("lists the enterprise before any report of a group is answered, also over a socket", async () => {
    const deployment = new Deployment();
    const order: string[] = [];
    deployment.answerReport = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push("listed");
    };
    const { core } = deployment;
    const socket = {
      owner: { kind: "stream" as const, caller: OPERATOR, expiresAtMs: null },
      send: (text: string) => order.push(JSON.parse(text).priced === false ? "answered" : text),
      close: () => {},
    };
    const message = { id: 1, run: "r3", model: "new", usage: { input_tokens: 5, output_tokens: 0 } };
    const place = { surface: "web", workspace: "w1", user: "u1", started_at: formatIso(NOON) };
    await Promise.all([
      ...["r1", "r2"].map((run) =>
        deployment.debit(deployment.report("new", 1, { run })).then(() => order.push("answered")),
      ),
      core.receive(socket, JSON.stringify({ ...message, ...place })),
    ]);
    expect(order).toEqual(["listed", "answered", "answered", "answered"]);
    await deployment.debit(deployment.report("new", 2));
    expect(deployment.reports).toHaveLength(1);
  });

  it("learns of more usage after a pause, and of its end", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("new", 1));
    await deployment.debit(deployment.report("new", 4), deployment.report("newer", 4));
    await deployment.settle();
    expect(deployment.reports.map(({ meters }) => meters)).toEqual([1]);
    deployment.platform.nowMs += 5_000;
    await deployment.settle();
    expect(deployment.reports.at(-1)).toMatchObject({
      enterprise: "acme",
      meters: 2,
      names: expect.arrayContaining([{ name: "new", tier: "standard", meters: 1, usage: { input: 4 } }]),
    });
    deployment.platform.nowMs += 5_000;
    deployment.putBook(entry("new", "1"), entry("newer", "1"));
    await deployment.settle();
    expect(deployment.reports.at(-1)).toMatchObject({ meters: 0, names: [] });
    await deployment.debit(deployment.report("newest", 1));
    expect(deployment.reports.at(-1)).toMatchObject({ meters: 1 });
  });

  it("may be down: the report is answered and kept, and its price found once the catalog responds", async () => {
    const deployment = new Deployment();
    deployment.answerReport = async () => {
      throw new Error("connection lost");
    };
    const [answer] = await deployment.debit(deployment.report("new", 70));
    expect(answer).toMatchObject({ priced: false, charged_micros: 0 });
    expect(deployment.platform.alarms.at(-1)).toBeLessThanOrEqual(NOON + 10_000);
    deployment.restart();
    deployment.version = 2;
    deployment.models = [entry("new", "1")];
    deployment.answerReport = async () => {};
    deployment.platform.nowMs += 10_000;
    await deployment.settle();
    expect(deployment.reports[0]).toMatchObject({ meters: 1 });
    expect(deployment.receipt().meters).toMatchObject([{ priced: true, charged_micros: 70 }]);
    expect(deployment.faults()).toEqual([]);
  });

  it("does not need to notify about a version that a Worker did not have yet", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("other", 1));
    const old = deployment.index;
    deployment.putBook(entry("new", "1"));
    await deployment.settle();
    const [answer] = await deployment.debit(deployment.report("new", 70, {}, old));
    expect(answer).toMatchObject({ priced: false });
    await deployment.settle();
    expect(deployment.meters()).toMatchObject({ other: { priced: false }, new: { charged_micros: 70 } });
  });
});

it("finds its price if the price comes while a pass has already gone by", async () => {
  const deployment = new Deployment();
  const runs = Array.from({ length: 150 }, (_, i) => `r${100 + i}`);
  await deployment.debit(...runs.map((run) => deployment.report("new", 1, { run })));
  deployment.putBook(entry("other", "1"));
  await deployment.core.jobs.runSlices("price_waiting", 1);
  deployment.core.management.putOverrides([entry("new", "1")]);
  await deployment.settle();
  expect(deployment.core.ledger.gauge().usedMicros).toBe(150);
});

describe("3,000 waiting meters", () => {
  it("are priced exactly, across crashes, while debits go on", async () => {
    const deployment = new Deployment({ allowanceOverrideMicros: 1_000_000_000 });
    const used = (i: number) => tokens({ input: 3 * i + 1, output: i, cache_read: 7 });
    for (let from = 0; from < 3_000; from += 500) {
      const batch = Array.from({ length: 500 }, (_, i) =>
        deployment.report("new", 0, {
          run: `r${(from + i) % 1_000}`,
          tier: `t${Math.floor((from + i) / 1_000)}`,
          usage: used(from + i),
        }),
      );
      await deployment.debit(...batch);
    }
    deployment.putBook(entry("known", "1"), entry("new", "1.3", { output: "0.000001", cache_read: "0.1" }));
    let slices = 0;
    while (loadWaitingState(deployment.sql).meters > 0) {
      await deployment.core.jobs.runSlices("price_waiting", 1);
      slices += 1;
      if (slices % 7 === 0) deployment.restart();
      await deployment.debit(deployment.report("known", slices, { run: "busy" }));
    }
    let micros = slices;
    for (let i = 0; i < 3_000; i++) micros += Math.ceil(((3 * i + 1) * 1_300_000 + i + 7 * 100_000) / 1_000_000);
    expect(deployment.core.ledger.gauge().usedMicros).toBe(micros);
    expect(
      deployment.entries("usage_priced").reduce((sum, facts) => sum + ("meters" in facts ? facts.meters : 0), 0),
    ).toBe(3_000);
    expect(deployment.faults()).toEqual([]);
    // Each slice handles a limited number of meters.
    expect(slices).toBeGreaterThanOrEqual(30);
  });
});
