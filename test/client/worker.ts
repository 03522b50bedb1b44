/**
 * Starts the real Worker with empty storage on a free port, for tests of the client in plain Node. What these tests do
 * without the client goes through the documented HTTP interface.
 */
import process from "node:process";
import { configOfBuiltWorker } from "../support/built-worker.ts";

const OPERATOR_KEY = "operator-key-of-the-tests-32-characters";

// biome-ignore lint/suspicious/noExplicitAny: tests read answers freely; other tests check their shapes
type Answer = { status: number; body: any };

export type Ledger = Awaited<ReturnType<typeof startLedger>>;

export async function startLedger() {
  const silent = { X_LOCAL_OBSERVABILITY: "false", X_LOCAL_EXPLORER: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" };
  Object.assign(process.env, silent, { WRANGLER_SEND_METRICS: "false" });
  const { createTestHarness } = await import("wrangler");
  const secrets = { OPERATOR_KEY, SIGNING_SECRET: "signing-secret-of-the-tests-32-characters" };
  const harness = createTestHarness({ workers: [{ configPath: await configOfBuiltWorker(), secrets }] });
  const { url } = await harness.listen();
  await harness.getWorker().applyD1Migrations("DB");

  async function call(key: string, method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(new URL(path, url), init);
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text) };
  }

  /** Creates an enterprise and a key for its agents and readers. `settings` override the defaults. */
  async function newEnterprise(settings: Record<string, unknown> = {}) {
    const id = `e-${crypto.randomUUID().slice(0, 8)}`;
    const path = `/v1/enterprises/${id}`;
    const defaults = { name: "Acme", billing_model: "credits", plan: "enterprise" };
    const created = await call(OPERATOR_KEY, "PUT", path, { ...defaults, ...settings });
    const made = await call(OPERATOR_KEY, "POST", `${path}/keys`, { name: "agents", scopes: ["debit", "read"] });
    if (created.status !== 201 || made.status !== 201) throw new Error(JSON.stringify([created, made]));
    const key: string = made.body.key;
    const get = async (rest: string) => (await call(key, "GET", `${path}/${rest}`)).body;
    return {
      id,
      key,
      get,
      receipt: (run: string) => get(`runs/${encodeURIComponent(run)}`),
      revoke: () => call(OPERATOR_KEY, "DELETE", `${path}/keys/${made.body.id}`),
    };
  }

  return { url: url.origin, newEnterprise, close: () => harness.close() };
}
