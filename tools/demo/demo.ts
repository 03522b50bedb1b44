// The demo that `npm start` runs: creates three enterprises with the history of three cycles if they are missing, prints links
// that sign in to them, serves an editor that embeds the usage bar, and runs demo agents until it is stopped.
// Needs OPERATOR_KEY in the environment and a Worker in local demo mode. To run it by hand:
// `node tools/run.mjs demo/demo.ts --to URL`. With `--editor-port` it prefers that port for the editor. With `--seed-only` it exits after printing the links.

import { parseArgs } from "node:util";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { type Call, createCaller, describeProblem } from "../kit/http.ts";
import { parseBaseUrl } from "../kit/options.mjs";
import { type AgentCalls, keepWorking } from "./agent.ts";
import { startEditor } from "./editor.ts";
import { seedEnterprise } from "./seed.ts";
import { DEMO_ENTERPRISES, type DemoEnterprise, memberWithBudget } from "./world.ts";

/** How long each kind of call is retried. */
const BRIEF_MS = 2_000;
const SEEDING_MS = 30_000;
const PATIENT_MS = 600_000;

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0));
await main().catch((error: unknown) => {
  console.error(`The demo failed: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
});

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { to: { type: "string" }, "editor-port": { type: "string" }, "seed-only": { type: "boolean" } },
  });
  const key = process.env.OPERATOR_KEY;
  if (!values.to || !key) throw new Error("give --to URL, and set OPERATOR_KEY in the environment");
  const baseUrl = parseBaseUrl("--to", values.to);
  const callFor = (giveUpAfterMs: number): Call => createCaller({ baseUrl, key, giveUpAfterMs });
  const call = callFor(SEEDING_MS);

  const answer = await call("GET", "/v1/price-book");
  if (answer.status !== 200) throw new Error(`GET /v1/price-book was refused: ${describeProblem(answer)}`);
  const book = answer.body as PriceBook;
  await seedAll(book, call);
  await printLinks(baseUrl, call);
  if (values["seed-only"]) return;
  await openEditor(baseUrl, callFor(BRIEF_MS), book, Number(values["editor-port"] ?? 0));
  console.log("\nDemo agents are running: watch the balances fall.\n");
  // Real agents use keys with the scope debit. The demo's agents use the operator key, so that no enterprise starts
  // with a list of demo keys.
  const calls: AgentCalls = { brief: callFor(BRIEF_MS), patient: callFor(PATIENT_MS) };
  await Promise.all(DEMO_ENTERPRISES.map((enterprise) => keepWorking(enterprise, book, calls)));
}

async function seedAll(book: PriceBook, call: Call): Promise<void> {
  const startedMs = performance.now();
  const notice = setTimeout(() => console.log("Creating three demo enterprises with three cycles of history …"), 1000);
  const seeded = await Promise.all(
    DEMO_ENTERPRISES.map((enterprise) => seedEnterprise(enterprise, book, call, Date.now())),
  );
  clearTimeout(notice);
  const count = seeded.filter(Boolean).length;
  if (count > 0)
    console.log(`Created ${count} demo enterprises in ${((performance.now() - startedMs) / 1000).toFixed(1)} s.`);
}

/** Starts the editor on this port, or on any free one, and prints its link. The demo goes on if the editor cannot start. */
async function openEditor(baseUrl: string, operator: Call, book: PriceBook, port: number): Promise<void> {
  try {
    const { origin } = await startEditor({ baseUrl, operator, book, enterprises: DEMO_ENTERPRISES, port });
    console.log(`  Demo editor   ${origin}/   (embeds the usage bar, and lets you start an agent)`);
  } catch (error) {
    console.error(`The demo editor could not start: ${error instanceof Error ? error.message : error}`);
  }
}

async function printLinks(baseUrl: string, call: Call): Promise<void> {
  const [first] = DEMO_ENTERPRISES;
  const admins = DEMO_ENTERPRISES.map((enterprise) => linkOf(enterprise, baseUrl, call));
  const members = first === undefined ? [] : [memberLinkOf(first, baseUrl, call)];
  const links = (await Promise.all([...admins, ...members])).filter((link) => link !== null);
  const width = Math.max(...links.map(({ label }) => label.length));
  const signIn = links.some(({ isSignIn }) => isSignIn);
  console.log(signIn ? "\nOpen the demo (each link signs you in once, within 5 minutes):\n" : "\nDemo enterprises:\n");
  for (const { label, url } of links) console.log(`  ${label.padEnd(width)}  ${url}`);
  if (signIn) console.log(`\n  New links     ${baseUrl}/`);
}

/** A link that signs in to the dashboard, or to the gauge's JSON if the server makes no sign-in links. */
async function linkOf({ id, settings, users }: DemoEnterprise, baseUrl: string, call: Call) {
  const label = `${settings.name} (${settings.plan === "free" ? "free tier" : settings.billing_model})`;
  const answer = await call("POST", `/v1/enterprises/${id}/sessions`, { user: users[0]!.id, role: "admin" });
  const { url } = (answer.body ?? {}) as { url?: string };
  if (answer.status === 201 && url) return { label, url: new URL(url, baseUrl).href, isSignIn: true };
  return { label, url: `${baseUrl}/v1/enterprises/${id}/gauge`, isSignIn: false };
}

/** A link that signs in as a member whose budget is used up; null if the server makes no sign-in links. */
async function memberLinkOf(enterprise: DemoEnterprise, baseUrl: string, call: Call) {
  const { id, name } = memberWithBudget(enterprise);
  const answer = await call("POST", `/v1/enterprises/${enterprise.id}/sessions`, { user: id, role: "member" });
  const { url } = (answer.body ?? {}) as { url?: string };
  if (answer.status !== 201 || !url) return null;
  return { label: `${name}, whose budget is used up`, url: new URL(url, baseUrl).href, isSignIn: true };
}
