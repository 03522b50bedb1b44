// The whole server dies while people watch, and is started again on the same state, as `npm start` does it: page and
// bar say so, come back by themselves, and no number is wrong, none doubled.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { barOf } from "./bar-stage.ts";
import { startHostPage } from "./host-page.ts";
import { KEY, launchBrowser, openSite, words } from "./site.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const SOON = { timeout: 45_000 };

let browser: Browser;
let directory: string;
let server: ChildProcess | null = null;

beforeAll(async () => {
  browser = await launchBrowser();
  directory = mkdtempSync(join(tmpdir(), "fuelgauge-restart-"));
});
afterAll(async () => {
  await browser?.close();
  await kill();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

async function start(port: number): Promise<void> {
  const args = [join(ROOT, "tools", "start.mjs"), "--port", String(port), "--persist-to", directory, "--no-demo"];
  const secrets = { OPERATOR_KEY: KEY, SIGNING_SECRET: "signing-secret-of-the-tests-32-characters" };
  server = spawn(process.execPath, args, { cwd: ROOT, env: { ...process.env, ...secrets }, stdio: "ignore" });
  const healthy = () => fetch(`http://localhost:${port}/healthz`).then(({ ok }) => ok);
  await expect.poll(() => healthy().catch(() => false), { timeout: 60_000, interval: 200 }).toBe(true);
}

/** Without a chance to end in good order: workerd first, then what started it. */
async function kill(): Promise<void> {
  if (server === null || server.exitCode !== null) return;
  const gone = new Promise((done) => server?.once("exit", done));
  for (const pid of descendantsOf(server.pid as number)) {
    if (readFileSync(`/proc/${pid}/comm`, "utf8") === "workerd\n") process.kill(pid, "SIGKILL");
  }
  server.kill("SIGKILL");
  await gone;
}

/** Where Linux tells them; elsewhere the leash of `npm start` ends them. */
function descendantsOf(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const children = tasks.flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
    );
    return children.flatMap((child) => [child, ...descendantsOf(child)]);
  } catch {
    return [];
  }
}

function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => done(port));
    });
  });
}

it("is survived by page and bar, which then show what the ledger kept", async () => {
  const port = await freePort();
  await start(port);
  const site = await openSite(`http://localhost:${port}`, browser);
  const enterprise = await site.newEnterprise();
  await enterprise.run(100 * 10_000);
  const host = await startHostPage(site);
  const { page, context } = await site.signIn(enterprise);
  const editor = await context.newPage();
  host.serve(barOf(enterprise.id));
  await editor.goto(host.origin);
  const label = () => words(editor, "usage-bar [part=label]");
  const headline = () => words(page, ".headline");
  const pill = () => words(page, "#pill");
  await expect.poll(label).toMatch(/^100 of 1,500 credits · resets/);
  await expect.poll(pill).toBe("Live");

  await enterprise.run(50 * 10_000, { run: "last" });
  await kill();
  await expect.poll(pill).toMatch(/^(Reconnecting \(numbers as of \d+:\d\d:\d\d\)|Not live \(checks every 30 s\))$/);
  await expect.poll(label).toMatch(/^1[05]0 of 1,500 credits · not live, as of \d\d:\d\d$/);
  expect(await headline()).toMatch(/^1[05]0 of 1,500/);

  await start(port);
  await expect.poll(pill, SOON).toBe("Live");
  await expect.poll(label, SOON).toMatch(/^150 of 1,500 credits · resets/);
  expect(await headline()).toContain("150 of 1,500");
  // Its agent never heard whether its last report had arrived, and sends it again.
  await enterprise.run(50 * 10_000, { run: "last" });
  await enterprise.run(25 * 10_000);
  await expect.poll(headline).toContain("175 of 1,500");
  await expect.poll(label).toMatch(/^175 of/);
  await expect.poll(() => words(page, "#foot-workspace .total")).toContain("175");
  expect((await site.must("GET", `${enterprise.path}/audit`)).body.ok).toBe(true);
  host.close();
  await context.close();
});
