// Runs the built Worker on workerd. Miniflare starts workerd with a direct socket, so that requests do not pass through a
// development server. The state, D1 included, is on disk.
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { convertV4MiniflareOptions, Miniflare, Response as OutsideResponse } from "miniflare";
import { mintToken } from "../../src/access/tokens.ts";
import { ROOT } from "../install.mjs";
import { createCaller, describeProblem } from "../kit/http.ts";

const NAME = "fuelgauge";
const DRAIN_POLL_MS = 50;
const COMPATIBILITY_DATE = /compatibility_date = "([\d-]+)"/;

/** A request of the Worker to another host. */
type OutgoingRequest = { url: string; headers: Headers; text(): Promise<string> };
/** Stands for the rest of the network: returns the status with which a host answers a request. */
type Outside = (request: OutgoingRequest) => Promise<number>;

/** A workerd process with the product and the calls that only benchmarks and tests need. */
export class Runtime {
  readonly operatorKey: string;
  readonly signingSecret: string;
  readonly #bundle: string;
  readonly #directory: string;
  readonly #variables: Record<string, string>;
  readonly #inspectorPort: number | null;
  readonly #outside: Outside | null;
  /** How far the clock was moved forward; null if it cannot be moved. */
  #aheadMs: number | null;
  #miniflare: Miniflare | null = null;
  /** The process, if the system lists it. */
  #pid: number | undefined;
  port = 0;

  /** @param directory the folder of the state; a later runtime with the same folder continues with that state */
  constructor(
    bundle: string,
    directory: string,
    {
      variables = {},
      inspectorPort = null,
      secrets = {},
      movableClock = false,
      outside = null,
    }: {
      variables?: Record<string, string>;
      inspectorPort?: number | null;
      secrets?: { operatorKey?: string; signingSecret?: string };
      movableClock?: boolean;
      outside?: Outside | null;
    } = {},
  ) {
    this.operatorKey = secrets.operatorKey ?? randomBytes(24).toString("base64url");
    this.signingSecret = secrets.signingSecret ?? randomBytes(24).toString("base64url");
    this.#bundle = bundle;
    this.#directory = directory;
    this.#variables = variables;
    this.#inspectorPort = inspectorPort;
    this.#outside = outside;
    this.#aheadMs = movableClock ? 0 : null;
    mkdirSync(directory, { recursive: true });
  }

  async start(): Promise<void> {
    const module = (path: string, file: string) => ({
      type: "ESModule" as const,
      path,
      contents: readFileSync(file, "utf8"),
    });
    const object = (className: string) => ({ className, useSQLite: true });
    const outside = this.#outside;
    const outboundService = async (request: OutgoingRequest) =>
      new OutsideResponse(null, { status: (await outside?.(request)) ?? 503 });
    const options = convertV4MiniflareOptions({
      cf: false,
      ...(this.#inspectorPort === null ? {} : { inspectorPort: this.#inspectorPort }),
      resourcePersistencePath: this.#directory,
      telemetry: { enabled: false },
      workers: [
        {
          name: NAME,
          compatibilityDate: COMPATIBILITY_DATE.exec(readFileSync(join(ROOT, "wrangler.toml"), "utf8"))?.[1] as string,
          modules: [
            module("worker.js", join(ROOT, "tools", "workerd", "worker.js")),
            module("recovery.js", join(ROOT, "tools", "workerd", "recovery.js")),
            module("movable-clock.js", join(ROOT, "tools", "workerd", "movable-clock.js")),
            module("elsewhere.js", join(ROOT, "tools", "workerd", "elsewhere.js")),
            module("undefined-fields.js", join(ROOT, "tools", "workerd", "undefined-fields.js")),
            module("product.js", this.#bundle),
          ],
          bindings: {
            OPERATOR_KEY: this.operatorKey,
            SIGNING_SECRET: this.signingSecret,
            REFERRAL_BONUS_CREDITS: "100",
            SIMULATE_REGIONS: "true",
            ...(this.#aheadMs === null ? {} : { CLOCK_AHEAD_MS: String(this.#aheadMs) }),
            ...this.#variables,
          },
          durableObjects: { ENTERPRISE: object("EnterpriseObject"), CATALOG: object("CatalogObject") },
          d1Databases: { DB: NAME },
          unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
          ...(outside === null ? {} : { outboundService }),
        },
      ],
    });
    const others = workerdsOf(process.pid);
    const miniflare = new Miniflare(options);
    this.#miniflare = miniflare;
    this.port = Number((await miniflare.unsafeGetDirectURL(NAME)).port);
    this.#pid = workerdsOf(process.pid).find((pid) => !others.includes(pid));
  }

  async stop(): Promise<void> {
    await this.#miniflare?.dispose();
    this.#miniflare = null;
    this.#pid = undefined;
  }

  /** Lets other processes run first. */
  yieldToOthers(): void {
    if (this.#pid !== undefined) setPriority(this.#pid, constants.priority.PRIORITY_BELOW_NORMAL);
  }

  /** Kills workerd at once, even while it is starting, without flushing or closing anything. */
  async kill(): Promise<void> {
    const pid = this.#pid ?? workerdsOf(process.pid)[0];
    if (pid !== undefined) process.kill(pid, "SIGKILL");
    // If the process is unknown, Miniflare kills it with the same signal. It also must not start workerd again.
    await this.stop();
  }

  /** Applies the migrations that the database lacks, and records them, as `wrangler d1 migrations apply` does. */
  async migrate(): Promise<void> {
    const db = await (this.#miniflare as Miniflare).getD1Database("DB");
    await db.prepare("CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY, name TEXT UNIQUE)").run();
    const { results } = (await db.prepare("SELECT name FROM d1_migrations").all()) as { results: { name: string }[] };
    const applied = new Set(results.map(({ name }) => name));
    const directory = join(ROOT, "migrations");
    const files = readdirSync(directory).filter((name) => name.endsWith(".sql") && !applied.has(name));
    for (const file of files.sort()) {
      const statements = readFileSync(join(directory, file), "utf8").split("--> statement-breakpoint");
      const record = db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(file);
      await db.batch([...statements.map((statement) => db.prepare(statement)), record]);
    }
  }

  /** Makes a call with the operator key and returns the answer's body. Throws unless it succeeds. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const baseUrl = `http://127.0.0.1:${this.port}`;
    const answer = await createCaller({ baseUrl, key: this.operatorKey, giveUpAfterMs: 60_000 })(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${describeProblem(answer)}`);
    return answer.body;
  }

  /** Makes a call of worker.js, which is not part of the product. */
  async ask(name: string, headers: Record<string, string> = {}): Promise<Response> {
    const response = await fetch(`http://127.0.0.1:${this.port}/bench/${name}`, { headers });
    if (!response.ok) throw new Error(`/bench/${name}: ${response.status} ${await response.text()}`);
    return response;
  }

  /** Moves the clock forward, also of later processes, and lets the alarms of the catalog and an enterprise fire. */
  async moveClock(byMs: number, enterprise: string): Promise<void> {
    if (this.#aheadMs === null) throw new Error("the clock of this runtime cannot be moved");
    this.#aheadMs += byMs;
    await this.ask(`move-clock?${enterprise}`, { "bench-ms": String(byMs) });
  }

  /** Creates an enterprise with plenty of credits and three grants. Returns a key with the scopes debit and read. */
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

  /** The session cookie of an admin of the enterprise. */
  async cookie(enterprise: string): Promise<string> {
    const claims = {
      enterprise,
      region: "",
      user: "bench",
      role: "admin" as const,
      id: crypto.randomUUID(),
      origin: "",
    };
    const issuedAtMs = Date.now();
    const expiresAtMs = issuedAtMs + 3_600_000;
    return `fuelgauge=${await mintToken(this.signingSecret, { ...claims, kind: "session", issuedAtMs, expiresAtMs })}`;
  }

  /** The CPU milliseconds that all threads of workerd have used; null if the system does not report them. */
  cpuMs(): number | null {
    try {
      return readdirSync(`/proc/${this.#pid}/task`).reduce((sum, thread) => {
        const [nanoseconds] = readFileSync(`/proc/${this.#pid}/task/${thread}/schedstat`, "utf8").split(" ");
        return sum + Number(nanoseconds) / 1e6;
      }, 0);
    } catch {
      return null;
    }
  }

  /** Projects the outbox into the copy now, as the object's alarm does later. */
  async project(enterprise: string): Promise<void> {
    await this.ask(`project?${enterprise}`);
  }

  /** The used micros according to the gauge, to the meters (`charged`), or to the copy in D1 (`copied`). */
  async usedMicros(enterprise: string, by: "gauge" | "charged" | "copied"): Promise<number> {
    if (by === "gauge") {
      const gauge = (await this.call("GET", `/v1/enterprises/${enterprise}/gauge`)) as { used_micros: number };
      return gauge.used_micros;
    }
    const sum = (await (await this.ask(`${by}?${enterprise}`)).json()) as { amount_micros: number | null } | null;
    return sum?.amount_micros ?? 0;
  }

  /** Waits until the copy is complete. */
  async drain(enterprise: string): Promise<void> {
    const usedMicros = await this.usedMicros(enterprise, "gauge");
    while ((await this.usedMicros(enterprise, "copied")) < usedMicros) await sleep(DRAIN_POLL_MS);
  }
}

/** The workerd processes that this process has started; none if the system does not list children. */
function workerdsOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
    return children.filter((child) => readFileSync(`/proc/${child}/comm`, "utf8") === "workerd\n");
  } catch {
    return [];
  }
}
