// `npm start`: takes a fresh clone to a running Fuelgauge, step by step.
// Plain JavaScript for Node 20, because the first step may be the install that adds a newer Node.
// Child processes run under start/leash.mjs: however this process ends, wrangler, workerd and the demo end with it.

import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureInstalled, localNode, ROOT, WRANGLER } from "./install.mjs";
import { reportFailure, StepFailed } from "./kit/failures.mjs";
import { UsageError } from "./kit/options.mjs";
import { whenNpmIsGone } from "./npm-parent.mjs";
import { ensureSecrets, PASSED_ON_NAMES, SECRET_NAMES, writeOverrides, writeStartConfig } from "./start/dev-vars.mjs";
import { hostOf, parseStartOptions, START_HELP } from "./start/options.mjs";

const HEALTHY_WITHIN_MS = 240_000;
const EDITOR_PORT_OFFSET = 1000;
const MAX_PORT = 65_535;

/** Keeps wrangler from using the network and from writing traces, which slow down every start and every request. */
const WRANGLER_ENVIRONMENT = {
  X_LOCAL_OBSERVABILITY: "false",
  X_LOCAL_EXPLORER: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
};

/** What to clean up at the end, in this order. @type {(() => void)[]} */
const cleanups = [];
let stopping = false;

main().catch((error) => {
  stop();
  reportFailure(error);
});

async function main() {
  const options = parseStartOptions(process.argv.slice(2));
  if (options.help) return console.log(START_HELP);
  await assertPortIsFree(options.port);
  ensureInstalled(console.log);
  console.log("Starting Fuelgauge …");
  const secrets = ensureSecrets(join(ROOT, ".dev.vars"), process.env);
  const persistTo = resolve(options.persistTo);
  applyMigrations(persistTo);

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      stop();
      process.exitCode = 0;
    });
  }
  whenNpmIsGone(stop);
  const base = `http://${hostOf(options.passedOn)}:${options.port}`;
  const editorPort = options.demo ? await chooseEditorPort(options.port) : 0;
  const worker = startWorker(options, persistTo, editorPort);
  await waitUntilHealthy(base, worker);
  if (stopping) return;
  worker.on("exit", (code) => {
    if (stopping) return;
    console.error(`The Worker stopped unexpectedly with exit code ${code}.`);
    process.exitCode = 1;
    stop();
  });
  printWelcome(base, options.persistTo);
  if (options.demo) startDemo(base, secrets, editorPort);
}

/** @param {string} base @param {string} persistTo */
function printWelcome(base, persistTo) {
  const keyPlace = process.env.OPERATOR_KEY ? "the environment" : ".dev.vars";
  console.log(`
Fuelgauge is running at ${base} (press Ctrl+C to stop)

  Operator's page   ${base}/operator   (sign in with OPERATOR_KEY from ${keyPlace})
  API reference     ${base}/docs
  Local data        ${persistTo}
`);
}

/** Tries to bind the port, the only reliable test: wrangler would silently use another port or fail late. @param {number} port */
async function assertPortIsFree(port) {
  for (const host of ["127.0.0.1", "::1"]) {
    const error = await new Promise((done) => {
      const probe = createServer();
      probe.once("error", done);
      probe.listen({ port, host, exclusive: true }, () => probe.close(() => done(undefined)));
    });
    if (error?.code === "EADDRINUSE") {
      throw new UsageError(
        `Port ${port} is in use. Stop the program that uses it, or choose another port: npm start -- --port ${port + 1}`,
      );
    }
    if (error?.code === "EACCES")
      throw new UsageError(`You are not allowed to listen on port ${port}. Choose a port above 1023.`);
  }
}

/**
 * Chooses the port of the demo editor before the Worker starts, because the Worker links to it: a fixed distance from the
 * Worker's port, or any free one. The distance is not 1, because another Fuelgauge may run on the next port.
 * @param {number} port @returns {Promise<number>}
 */
async function chooseEditorPort(port) {
  for (const wanted of port + EDITOR_PORT_OFFSET > MAX_PORT ? [0] : [port + EDITOR_PORT_OFFSET, 0]) {
    const found = await new Promise((done) => {
      const probe = createServer();
      probe.once("error", () => done(0));
      probe.listen({ port: wanted, host: "localhost", exclusive: true }, () => {
        const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
        probe.close(() => done(port));
      });
    });
    if (found !== 0) return found;
  }
  return 0;
}

/** @param {string} persistTo */
function applyMigrations(persistTo) {
  for (const binding of boundDatabases()) applyMigrationsTo(binding, persistTo);
}

/** Returns the bindings of the D1 databases at the top level of wrangler.toml. wrangler's parser needs a newer Node. */
function boundDatabases() {
  const [topLevel = ""] = readFileSync(join(ROOT, "wrangler.toml"), "utf8").split(/^\[env\./m);
  return topLevel
    .split(/^\[\[?/m)
    .filter((table) => table.startsWith("d1_databases]]"))
    .flatMap((table) => /^binding\s*=\s*"([^"]+)"/m.exec(table)?.[1] ?? []);
}

/** @param {string} binding @param {string} persistTo */
function applyMigrationsTo(binding, persistTo) {
  const args = ["d1", "migrations", "apply", binding, "--local", "--persist-to", persistTo];
  const result = spawnSync(localNode(), [WRANGLER, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...WRANGLER_ENVIRONMENT },
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
  });
  if (result.status !== 0) {
    throw new StepFailed(
      "Applying the database migrations",
      `wrangler ended with ${result.status ?? result.signal}`,
      result.stdout + result.stderr,
    );
  }
}

/** @param {import("./start/options.mjs").StartOptions} options @param {string} persistTo @param {number} editorPort */
function startWorker({ port, demo, passedOn }, persistTo, editorPort) {
  const given = (/** @type {string} */ name) => passedOn.some((arg) => arg === name || arg.startsWith(`${name}=`));
  const args = ["dev", "--port", String(port), "--persist-to", persistTo];
  // wrangler's warnings are about deployments. Errors that the Worker logs are still shown.
  if (!given("--log-level")) args.push("--log-level", "error");
  if (!given("--show-interactive-dev-session")) args.push("--show-interactive-dev-session=false");
  if (!given("--inspector-port")) args.push("--inspector-port", "0");
  // Locally all requests come from one address and a few keys, so the usual rate limits would get in the way.
  args.push("--var", "RATE_LIMIT_FACTOR:1000");
  // wrangler simulates the sending of emails: it writes them to files below .wrangler/tmp/email.
  args.push("--var", `EMAIL_FROM:${process.env.EMAIL_FROM || "fuelgauge@localhost.example"}`);
  // The development runtime has no jurisdictions.
  args.push("--var", "SIMULATE_REGIONS:true");
  // The start page links to the demo editor.
  if (demo) args.push("--var", "DEMO_MODE:true", "--var", `DEMO_EDITOR:http://localhost:${editorPort}/`);
  // Remove this private file only at the end: wrangler reads it again when the configuration changes.
  const devVars = join(ROOT, ".dev.vars");
  const overrides = join(ROOT, ".wrangler", `start-${port}.env`);
  const removeOverrides = writeOverrides(overrides, process.env);
  if (removeOverrides) cleanups.push(removeOverrides);
  const configPath = join(ROOT, `.wrangler-start-${port}.toml`);
  const config = readFileSync(join(ROOT, "wrangler.toml"), "utf8");
  const removeConfig = given("--config") ? null : writeStartConfig(configPath, config, devVars, process.env);
  if (removeConfig) {
    cleanups.push(removeConfig);
    args.push("--config", configPath);
  }
  // Once an --env-file is given, wrangler reads .dev.vars only if it is named too. Later files win.
  if (removeOverrides || given("--env-file")) args.push("--env-file", devVars);
  args.push(...passedOn);
  if (removeOverrides) args.push("--env-file", overrides);
  return spawnOnLeash([WRANGLER, ...args], WRANGLER_ENVIRONMENT);
}

/** @param {string} base @param {import("node:child_process").ChildProcess} worker */
async function waitUntilHealthy(base, worker) {
  const deadline = Date.now() + HEALTHY_WITHIN_MS;
  while (!stopping && Date.now() < deadline) {
    if (worker.exitCode !== null)
      throw new StepFailed("Starting the Worker", `wrangler dev ended with ${worker.exitCode}; see its output above`);
    const healthy = await fetch(`${base}/healthz`, { signal: AbortSignal.timeout(10_000) }).then(
      (answer) => answer.ok,
      () => false,
    );
    if (healthy) return;
    await sleep(100);
  }
  if (!stopping) {
    throw new StepFailed(
      "Starting the Worker",
      `${base}/healthz did not answer 200 within ${HEALTHY_WITHIN_MS / 1000} s`,
    );
  }
}

/** @param {string} base @param {Record<string, string>} secrets @param {number} editorPort */
function startDemo(base, secrets, editorPort) {
  const environment = Object.fromEntries([...SECRET_NAMES, ...PASSED_ON_NAMES].map((name) => [name, ""]));
  const demo = spawnOnLeash(
    [join(ROOT, "tools", "demo", "demo.ts"), "--to", base, "--editor-port", String(editorPort)],
    {
      ...environment,
      OPERATOR_KEY: secrets.OPERATOR_KEY,
    },
  );
  demo.on("exit", (code) => {
    if (!stopping) console.error(`The demo ended with exit code ${code}. Fuelgauge keeps running without it.`);
  });
}

/** @param {string[]} args a script and its arguments @param {Record<string, string | undefined>} environment */
function spawnOnLeash(args, environment) {
  const child = spawn(process.execPath, [join(ROOT, "tools", "start", "leash.mjs"), localNode(), ...args], {
    cwd: ROOT,
    detached: process.platform !== "win32",
    stdio: ["pipe", "inherit", "inherit"],
    env: { ...process.env, ...environment },
  });
  child.stdin?.on("error", () => {});
  cleanups.unshift(() => child.stdin?.destroy());
  child.on("exit", () => killLeftovers(child.pid));
  return child;
}

/** Kills processes that a crashed command left in its group. @param {number | undefined} pid */
function killLeftovers(pid) {
  try {
    if (pid !== undefined && process.platform !== "win32") process.kill(-pid, "SIGKILL");
  } catch {
    // The group is empty.
  }
}

/** Stops all children. This process ends once they have ended. */
function stop() {
  stopping = true;
  for (const cleanup of cleanups.splice(0)) cleanup();
}
