/**
 * Runs every command of docs/recipes.md, in its order and unchanged, and checks what each recipe promises. The tests of
 * the runbook call it, because a deployment takes seconds to start.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { type Block, blocksOf } from "./blocks.ts";
import { OPERATOR_KEY, type Server } from "./server.ts";

const CREDIT = 1_000_000;
const DAY_MS = 86_400_000;
const [prelude, ...commands] = blocksOf("docs/recipes.md") as [Block, ...Block[]];

/** @param deployment a deployment with the enterprise acme on the plan pro, and a key of acme with the scope debit */
export function testRecipes(deployment: () => { server: Server; key: string }): void {
  const tried = new Set<string>();
  let server: Server;
  let KEY: string;
  beforeAll(() => {
    ({ server, key: KEY } = deployment());
    writeFileSync(join(server.folder, ".dev.vars"), `OPERATOR_KEY=${OPERATOR_KEY}\nSIGNING_SECRET=x\n`);
  });

  /** Runs the commands of a recipe, and returns the JSON answers of each command. */
  async function follow(heading: string): Promise<Record<string, unknown>[][]> {
    const blocks = commands.filter((block) => block.heading === heading);
    expect([heading, blocks.length]).not.toEqual([heading, 0]);
    tried.add(heading);
    const answers = [];
    for (const { code } of blocks) {
      const variables = prelude.code.replace("http://localhost:8787", server.url);
      const { status, out, err } = await server.shell(`${variables}\n${code}`, { KEY });
      expect([code, status, err]).toEqual([code, 0, ""]);
      expect(out).not.toContain("urn:fuelgauge:problem");
      answers.push(out.trim() === "" ? [] : JSON.parse(`[${out.trim().replaceAll(/\}\s*\{/g, "},{")}]`));
    }
    return answers;
  }

  const read = async (path: string) => (await server.call(OPERATOR_KEY, "GET", path)).body;
  const gauge = (e: string) => read(`/v1/enterprises/${e}/gauge`);
  const priceOf = () => read("/v1/price-book/models/claude-sonnet-4-6?enterprise=acme");
  const start = (e: string, run: string, user = "ada") =>
    server.call(OPERATOR_KEY, "POST", `/v1/enterprises/${e}/runs`, { run, surface: "cli", workspace: "w", user });

  it("makes a plan, beside those that exist", async () => {
    await follow("Make your own plans");
    const { plans } = await read("/v1/plans");
    expect(plans.map(({ id }: { id: string }) => id)).toEqual(["free", "pro", "team", "enterprise", "starter"]);
    expect(await read("/v1/enterprises/acme")).toMatchObject({ plan: "starter" });
    // The allowance of pro was larger, so it counts until the next cycle.
    expect((await gauge("acme")).monthly.allowance_micros).toBe(5_000 * CREDIT);
  });

  it("adds a markup for everybody, and a discount for one", async () => {
    const answers = await follow("Charge more than the model costs");
    expect(answers[2]).toMatchObject([{ credits_per_usd: 120, price_multiplier: "0.9", input: "3" }]);
  });

  it("gives one customer a negotiated price", async () => {
    await follow("Give one customer a negotiated price");
    expect(await priceOf()).toMatchObject({ source: "override", input: "2.5", output: "12" });
    const other = await read("/v1/price-book/models/claude-sonnet-4-6");
    expect(other).toMatchObject({ source: "book", input: "3", output: "15" });
  });

  it("sells a year at once: no allowance, and bonus credits that expire", async () => {
    await follow("Sell a year at once");
    const { monthly, bonus, available_micros } = await gauge("yearly");
    expect([monthly.allowance_micros, available_micros]).toEqual([0, 300_000 * CREDIT]);
    expect(bonus.next_expiry.micros).toBe(300_000 * CREDIT);
    const days = (Date.parse(bonus.next_expiry.at) - Date.now()) / DAY_MS;
    expect(Math.round(days)).toBe(365);
  });

  it("moves a customer: their cycle's day, a full first cycle, and what they had left", async () => {
    await follow("Move a customer from another system");
    const { monthly, bonus, cycle } = await gauge("moved");
    expect([monthly.remaining_micros, bonus.remaining_micros]).toEqual([25_000 * CREDIT, 7_250 * CREDIT]);
    const day = new Intl.DateTimeFormat("en", { day: "numeric", timeZone: "Europe/Paris" });
    expect(day.format(new Date(cycle.ends_at))).toBe("15");
  });

  it("offers a trial, whose end leads to the shop, and turns it into a plan", async () => {
    await follow("Offer a trial");
    const { monthly, bonus } = await gauge("trial");
    expect([monthly.allowance_micros, bonus.remaining_micros]).toEqual([5_000 * CREDIT, 250 * CREDIT]);
    // Without the grant, the trial had nothing: a run is refused and the refusal names the shop.
    await server.call(OPERATOR_KEY, "PUT", "/v1/enterprises/ended", {
      name: "Ended",
      billing_model: "credits",
      plan: "free",
      monthly_allowance_micros: 0,
      upgrade_url: "https://platform.example.com/upgrade",
    });
    const { status, body } = await start("ended", "r1");
    expect([status, body.upgrade_url, body.resets_at]).toEqual([402, "https://platform.example.com/upgrade", null]);
  });

  it("sells a top-up once, however often the payment's event arrives, and takes back what is left", async () => {
    const before = (await gauge("acme")).available_micros;
    const topUp = commands.find(({ code }) => code.includes("payment-7f31") && !code.includes("void")) as Block;
    const variables = prelude.code.replace("http://localhost:8787", server.url);
    await server.shell(`${variables}\n${topUp.code}`);
    await server.shell(`${variables}\n${topUp.code}`);
    expect((await gauge("acme")).available_micros).toBe(before + 1_000 * CREDIT);
    await follow("Sell a top-up");
    expect((await gauge("acme")).available_micros).toBe(before);
  });

  it("limits each seat, with more for one person and no limit for another", async () => {
    const answers = await follow("Limit what each seat may use");
    expect(answers.at(-1)).toMatchObject([
      { rows: [{ id: "grace", inherited: true, action: "block", used_micros: 0 }] },
    ]);
    expect((await gauge("acme")).monthly.allowance_micros).toBe(10_000 * CREDIT);
    const limitOf = async (user: string) =>
      (await read(`/v1/enterprises/acme/budgets/user/${user}`)).rows[0].limit_micros;
    expect([await limitOf("grace"), await limitOf("ada"), await limitOf("ci-bot")]).toEqual([
      500 * CREDIT,
      2_000 * CREDIT,
      null,
    ]);
  });

  it("sends alerts to Slack and to a program", async () => {
    const answers = await follow("Send alerts");
    const [, [onCall, list]] = answers as [unknown, [{ webhook_secret: string }, { rows: Record<string, unknown>[] }]];
    expect(onCall.webhook_secret).toMatch(/^whsec_/);
    expect(list.rows).toMatchObject([
      { id: "on-call", thresholds: [90], active: true },
      { id: "team", kind: "slack", target: "https://hooks.slack.com/***XXXX", events: null, active: true },
    ]);
  });

  it("charges for calls of a tool", async () => {
    const answers = await follow("Charge for tools");
    // 3 calls at 0.02 USD, 120 credits per USD, a discount of 10 %.
    expect(answers[1]).toMatchObject([{ admitted: true }, { model: "tool-browser", charged_micros: 6_480_000 }]);
    // The table comes from the copy, which is at most five seconds behind.
    const models = async () => {
      const { rows } = await read("/v1/enterprises/acme/usage/top/models");
      return rows.map(({ id }: { id: string }) => id);
    };
    await expect.poll(models).toContain("tool-browser");
  });

  it("bills in dollars with a cap", async () => {
    await follow("Bill in dollars with a cap");
    expect(await gauge("own-model")).toMatchObject({ unit: "usd", available_micros: 500 * CREDIT });
  });

  it("has what an invoice needs", async () => {
    const [[cycles]] = (await follow("Make an invoice")) as [[{ rows: { credits: { used_micros: number } }[] }]];
    const [head = "", ...lines] = readFileSync(join(server.folder, "runs.csv"), "utf8").trim().split(/\r?\n/);
    const column = head.split(",").indexOf("cycle_micros");
    const sum = lines.reduce((total, line) => total + Number(line.split(",")[column]), 0);
    expect([column >= 0, sum]).toEqual([true, cycles.rows[0]?.credits.used_micros]);
  });

  it("stops a customer who does not pay", async () => {
    await follow("Stop a customer who does not pay");
    expect((await start("acme", "refused")).body.code).toBe("enterprise_suspended");
  });

  it("was tried as a whole", () => {
    expect([...new Set(commands.map(({ heading }) => heading))].filter((heading) => !tried.has(heading))).toEqual([]);
  });
}
