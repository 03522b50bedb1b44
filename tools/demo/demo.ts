// The demo behind `npm start`: seeds three enterprises where they are missing, prints the links, and lets agents work;
// beside it stands an editor that embeds the usage bar.
// Needs OPERATOR_KEY in the environment and a Worker in local demo mode; `node tools/run.mjs demo/demo.ts --to URL` starts
// it by hand, and `--seed-only` ends after the links.
import { parseArgs } from "node:util";
import type { PriceBook } from "../kit/expected-cost.ts";
import { type Call, createCaller, describeProblem } from "../kit/http.ts";
import { toBaseUrl } from "../replay/options.ts";
import { type AgentCalls, keepWorking } from "./agent.ts";
import { startEditor } from "./editor.ts";
import { seedEnterprise } from "./seed.ts";
import { DEMO_ENTERPRISES, type DemoEnterprise } from "./world.ts";

const BRIEF_MS = 2_000;
const SEEDING_MS = 30_000;
const PATIENT_MS = 600_000;
/** The editor's port is so far from the Worker's: the next one may be another Fuelgauge's. */
const EDITOR_PORT_OFFSET = 1000;
const HIGHEST_PORT = 65_535;

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0));
await main().catch((error: unknown) => {
  console.error(`The demo failed: ${error instanceof Error ? error.message : error}`);
  process.exit(1);
});

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { to: { type: "string" }, "seed-only": { type: "boolean" } } });
  const key = process.env.OPERATOR_KEY;
  if (!values.to || !key) throw new Error("give --to URL and OPERATOR_KEY in the environment");
  const baseUrl = toBaseUrl(values.to);
  const callFor = (giveUpAfterMs: number): Call => createCaller({ baseUrl, key, giveUpAfterMs });
  const call = callFor(SEEDING_MS);

  const answer = await call("GET", "/v1/price-book");
  if (answer.status !== 200) throw new Error(`GET /v1/price-book was refused: ${describeProblem(answer)}`);
  const book = answer.body as PriceBook;
  await seedAll(book, call);
  await printLinks(baseUrl, call);
  if (values["seed-only"]) return;
  await openEditor(baseUrl, callFor(BRIEF_MS), book);
  // A real agent has a key of its own with the scope debit; the demo spares the enterprises a list of keys.
  const calls: AgentCalls = { brief: callFor(BRIEF_MS), patient: callFor(PATIENT_MS) };
  await Promise.all(DEMO_ENTERPRISES.map((enterprise) => keepWorking(enterprise, book, calls)));
}

async function seedAll(book: PriceBook, call: Call): Promise<void> {
  const startedMs = performance.now();
  const notice = setTimeout(() => console.log("Seeding a month of demo history …"), 1000);
  const seeded = await Promise.all(
    DEMO_ENTERPRISES.map((enterprise) => seedEnterprise(enterprise, book, call, Date.now())),
  );
  clearTimeout(notice);
  const count = seeded.filter(Boolean).length;
  if (count > 0)
    console.log(`Seeded ${count} demo enterprises in ${((performance.now() - startedMs) / 1000).toFixed(1)} s.`);
}

/** The demo goes on without its editor. */
async function openEditor(baseUrl: string, operator: Call, book: PriceBook): Promise<void> {
  const wished = (Number(new URL(baseUrl).port) || 80) + EDITOR_PORT_OFFSET;
  const port = wished > HIGHEST_PORT ? 0 : wished;
  try {
    const { origin } = await startEditor({ baseUrl, operator, book, enterprises: DEMO_ENTERPRISES, port });
    console.log(`An editor with the usage bar, whose agent you can start: ${origin}/\n`);
  } catch (error) {
    console.error(`The demo's editor could not start: ${error instanceof Error ? error.message : error}`);
  }
}

async function printLinks(baseUrl: string, call: Call): Promise<void> {
  const links = await Promise.all(DEMO_ENTERPRISES.map((enterprise) => linkOf(enterprise, baseUrl, call)));
  const width = Math.max(...links.map(({ label }) => label.length));
  const signIn = links.some(({ isSignIn }) => isSignIn);
  console.log(signIn ? "\nSign in (each link is good once, for 5 minutes):" : "\nThe demo enterprises:");
  for (const { label, url } of links) console.log(`  ${label.padEnd(width)}  ${url}`);
  console.log(signIn ? `New links any time: ${baseUrl}/\n` : "");
}

/** A link that signs in to the dashboard; a server that has none yet at least shows the gauge. */
async function linkOf({ id, settings, users }: DemoEnterprise, baseUrl: string, call: Call) {
  const label = `${settings.name} (${settings.plan === "free" ? "free tier" : settings.billing_model})`;
  const answer = await call("POST", `/v1/enterprises/${id}/sessions`, { user: users[0]!.id, role: "admin" });
  const { url } = (answer.body ?? {}) as { url?: string };
  if (answer.status === 201 && url) return { label, url: new URL(url, baseUrl).href, isSignIn: true };
  return { label, url: `${baseUrl}/v1/enterprises/${id}/gauge`, isSignIn: false };
}
