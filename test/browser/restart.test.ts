// The server is killed while people watch, and started again on the same state with `npm start`. The page and the bar must
// say so, reconnect by themselves, and show no wrong number.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { sharedBrowser } from "./chromium.ts";
import { startHostPage } from "./host-page.ts";
import { KEY, openSite, putPrices, textOf } from "./site.ts";
import { barMarkup } from "./usage-bar-fixture.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** The page waits longer before each attempt to connect. */
const RECONNECTED = { timeout: 120_000, interval: 250 };

let directory: string;
let server: ChildProcess | null = null;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "fuelgauge-restart-"));
});
afterAll(async () => {
  await kill();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

async function start(port: number): Promise<void> {
  const args = [join(ROOT, "tools", "start.mjs"), "--port", String(port), "--persist-to", directory, "--no-demo"];
  const secrets = { OPERATOR_KEY: KEY, SIGNING_SECRET: "signing-secret-of-the-tests-32-characters" };
  // As a script of npm, it ends by itself when this process or its parent is killed.
  const env = { ...process.env, ...secrets, npm_lifecycle_event: "start" };
  server = spawn(process.execPath, args, { cwd: ROOT, env, stdio: "ignore" });
  const healthy = () => fetch(`http://localhost:${port}/healthz`).then(({ ok }) => ok);
  await expect.poll(() => healthy().catch(() => false), { timeout: 300_000, interval: 200 }).toBe(true);
}

/** Kills workerd and then the process that started it, so that neither can shut down cleanly. */
async function kill(): Promise<void> {
  if (server === null || server.exitCode !== null) return;
  const gone = new Promise((done) => server?.once("exit", done));
  for (const pid of descendantsOf(server.pid as number)) {
    if (readFileSync(`/proc/${pid}/comm`, "utf8") === "workerd\n") process.kill(pid, "SIGKILL");
  }
  server.kill("SIGKILL");
  await gone;
}

/** The processes below this one, on Linux. Elsewhere `npm start` itself ends them when it is killed. */
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

/**
 * A free port below those that the system gives to connections. It must stay free while the server restarts, and other
 * test files open connections at the same time.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((done) => {
      probe.once("error", () => done(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => done(true)));
    });
    if (isFree) return port;
  }
}

// It starts `npm start` twice, and then waits until page and bar try again to connect.
it("leaves page and bar showing what the ledger kept after a restart", { timeout: 1_200_000 }, async () => {
  const port = await freePort();
  await start(port);
  await putPrices(`http://localhost:${port}`);
  const site = openSite(`http://localhost:${port}`, await sharedBrowser());
  const enterprise = await site.newEnterprise();
  await enterprise.run(100 * 10_000);
  const host = await startHostPage(site);
  const { page, context } = await site.signIn(enterprise);
  const editor = await context.newPage();
  host.serve(barMarkup(enterprise.id));
  await editor.goto(host.origin);
  const label = () => textOf(editor, "usage-bar [part=label]");
  const headline = () => textOf(page, ".headline");
  const pill = () => textOf(page, "#pill");
  await expect.poll(label).toMatch(/^100 of 1,500 credits · resets/);
  await expect.poll(pill).toBe("Live");

  await enterprise.run(50 * 10_000, { run: "last" });
  await kill();
  await expect.poll(pill).toMatch(/^(Reconnecting \(numbers as of \d+:\d\d:\d\d\)|Not live \(checks every 30 s\))$/);
  await expect.poll(label).toMatch(/^1[05]0 of 1,500 credits · not live, as of \d\d:\d\d$/);
  expect(await headline()).toMatch(/^1[05]0 of 1,500/);

  await start(port);
  await expect.poll(pill, RECONNECTED).toBe("Live");
  await expect.poll(label, RECONNECTED).toMatch(/^150 of 1,500 credits · resets/);
  expect(await headline()).toContain("150 of 1,500");
  // The agent does not know whether its last report arrived, and sends it again.
  await enterprise.run(50 * 10_000, { run: "last" });
  await enterprise.run(25 * 10_000);
  await expect.poll(headline).toContain("175 of 1,500");
  await expect.poll(label).toMatch(/^175 of/);
  await expect.poll(() => textOf(page, "#foot-workspace .total")).toContain("175");
  expect((await site.sendOk("GET", `${enterprise.path}/audit`)).body.ok).toBe(true);
  host.close();
  await context.close();
});
