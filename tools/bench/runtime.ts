// The built Worker on workerd itself: `wrangler deploy --dry-run` makes the bundle, and Miniflare runs it with a socket
// of workerd's own, so that no proxy of a development server stands in between. State lies on disk, D1 included.
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { mintToken } from "../../src/access/tokens.ts";
import { localNode, ROOT } from "../install.mjs";
import { StepFailed } from "../kit/failures.mjs";
import { createCaller, describeProblem } from "../kit/http.ts";

const NAME = "fuelgauge";
const COMPATIBILITY_DATE = /compatibility_date = "([\d-]+)"/;

/** The Worker's bundle, built once for all runtimes of a bench. */
export function buildWorker(directory: string): string {
  const wrangler = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
  const args = [wrangler, "deploy", "--dry-run", "--outdir", directory];
  const environment = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" };
  const done = spawnSync(localNode(), args, { cwd: ROOT, env: environment, encoding: "utf8" });
  if (done.status !== 0)
    throw new StepFailed("Building the Worker", "wrangler deploy --dry-run", done.stdout + done.stderr);
  return join(directory, "worker.js");
}

/** A running workerd with the product and the bench's own calls. */
export class Runtime {
  readonly operatorKey = randomBytes(24).toString("base64url");
  readonly signingSecret = randomBytes(24).toString("base64url");
  readonly #bundle: string;
  readonly #directory: string;
  readonly #variables: Record<string, string>;
  readonly #inspectorPort: number | null;
  #miniflare: Miniflare | null = null;
  port = 0;

  /** @param directory where its state lies; what an earlier runtime left there is found again */
  constructor(
    bundle: string,
    directory: string,
    {
      variables = {},
      inspectorPort = null,
    }: { variables?: Record<string, string>; inspectorPort?: number | null } = {},
  ) {
    this.#bundle = bundle;
    this.#directory = directory;
    this.#variables = variables;
    this.#inspectorPort = inspectorPort;
    mkdirSync(directory, { recursive: true });
  }

  async start(): Promise<void> {
    const module = (path: string, file: string) => ({
      type: "ESModule" as const,
      path,
      contents: readFileSync(file, "utf8"),
    });
    const object = (className: string) => ({ className, useSQLite: true });
    const options = convertV4MiniflareOptions({
      cf: false,
      ...(this.#inspectorPort === null ? {} : { inspectorPort: this.#inspectorPort }),
      resourcePersistencePath: this.#directory,
      telemetry: { enabled: false },
      workers: [
        {
          name: NAME,
          compatibilityDate: COMPATIBILITY_DATE.exec(readFileSync(join(ROOT, "wrangler.toml"), "utf8"))?.[1] as string,
          modules: [module("worker.js", join(ROOT, "tools", "bench", "worker.js")), module("product.js", this.#bundle)],
          bindings: {
            OPERATOR_KEY: this.operatorKey,
            SIGNING_SECRET: this.signingSecret,
            REFERRAL_BONUS_CREDITS: "100",
            ...this.#variables,
          },
          durableObjects: { ENTERPRISE: object("EnterpriseObject"), CATALOG: object("CatalogObject") },
          d1Databases: { DB: NAME },
          unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
        },
      ],
    });
    const miniflare = new Miniflare(options);
    this.#miniflare = miniflare;
    this.port = Number((await miniflare.unsafeGetDirectURL(NAME)).port);
  }

  async stop(): Promise<void> {
    await this.#miniflare?.dispose();
    this.#miniflare = null;
  }

  /** Kills workerd where it stands, at any moment since the start was begun: nothing is flushed and nobody is told. */
  async kill(): Promise<void> {
    const pid = workerdOf(process.pid);
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    // Where the system does not name the process: Miniflare ends it by the same signal. Here it must not start another.
    await this.stop();
  }

  /** Applies the migrations as `wrangler d1 migrations apply` does. */
  async migrate(): Promise<void> {
    const db = await (this.#miniflare as Miniflare).getD1Database("DB");
    const directory = join(ROOT, "migrations");
    for (const file of readdirSync(directory)
      .filter((name) => name.endsWith(".sql"))
      .sort()) {
      const statements = readFileSync(join(directory, file), "utf8").split("--> statement-breakpoint");
      await db.batch(statements.map((statement) => db.prepare(statement)));
    }
  }

  /** A call with the operator's key that must succeed; its body. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const baseUrl = `http://127.0.0.1:${this.port}`;
    const answer = await createCaller({ baseUrl, key: this.operatorKey, giveUpAfterMs: 60_000 })(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${describeProblem(answer)}`);
    return answer.body;
  }

  /** One of the bench's own calls. */
  async ask(what: string, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(`http://127.0.0.1:${this.port}/bench/${what}`, { headers });
    if (!response.ok) throw new Error(`/bench/${what}: ${response.status} ${await response.text()}`);
    return response;
  }

  /** An enterprise that will not run out, with some grants; a key for its agents and readers. */
  async provision(enterprise: string): Promise<string> {
    const path = `/v1/enterprises/${enterprise}`;
    const settings = { name: enterprise, billing_model: "credits", plan: "enterprise" };
    await this.call("PUT", path, { ...settings, monthly_allowance_micros: 5_000_000_000_000_000 });
    for (const number of [1, 2, 3]) {
      const grant = { id: `grant-${number}`, amount_micros: 1_000_000_000, source: "promotion" };
      await this.call("POST", `${path}/grants`, grant);
    }
    const made = await this.call("POST", `${path}/keys`, { name: "bench", scopes: ["debit", "read"] });
    return (made as { key: string }).key;
  }

  /** The cookie of a person who is signed in to the dashboard. */
  async cookie(enterprise: string): Promise<string> {
    const who = { enterprise, user: "bench", role: "admin" as const, id: "bench", origin: "" };
    const expiresAtMs = Date.now() + 3_600_000;
    return `fuelgauge=${await mintToken(this.signingSecret, { ...who, kind: "session", expiresAtMs })}`;
  }

  /** CPU milliseconds that workerd has used so far, all threads; null where the system does not say. */
  cpuMs(): number | null {
    try {
      const pid = workerdOf(process.pid);
      return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
        const [nanoseconds] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ");
        return sum + Number(nanoseconds) / 1e6;
      }, 0);
    } catch {
      return null;
    }
  }

  /** Writes to the copy what it lacks, as the object's alarm does when its time has come. */
  async project(enterprise: string): Promise<void> {
    await this.ask(`project?${enterprise}`);
  }

  /** What has been used by the gauge, by the meters themselves (`charged`), or by what stands in D1 (`copied`). */
  async usedMicros(enterprise: string, by: "gauge" | "charged" | "copied"): Promise<number> {
    if (by === "gauge") {
      const gauge = (await this.call("GET", `/v1/enterprises/${enterprise}/gauge`)) as { used_micros: number };
      return gauge.used_micros;
    }
    const sum = (await (await this.ask(`${by}?${enterprise}`)).json()) as { amount_micros: number | null } | null;
    return sum?.amount_micros ?? 0;
  }

  /** Waits until the copy has everything that the ledger has. */
  async drain(enterprise: string): Promise<void> {
    const wanted = await this.usedMicros(enterprise, "gauge");
    while ((await this.usedMicros(enterprise, "copied")) < wanted) await sleep(DRAIN_LOOK_MS);
  }
}

const DRAIN_LOOK_MS = 50;

/** The workerd that a process has started; undefined when there is none, or the system does not say. */
function workerdOf(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    return children.find((child) => readFileSync(`/proc/${child}/comm`, "utf8") === "workerd\n");
  } catch {
    return undefined;
  }
}
