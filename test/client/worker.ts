/**
 * Starts the real Worker with empty storage on a free port, for tests of the client in plain Node. What these tests do
 * without the client goes through the documented HTTP interface.
 */
import { OPERATOR_KEY, startBuiltWorker } from "../support/start-worker.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests read answers freely; other tests check their shapes
type Answer = { status: number; body: any };

export type Ledger = Awaited<ReturnType<typeof startLedger>>;

export async function startLedger() {
  const worker = await startBuiltWorker();

  async function call(key: string, method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(new URL(path, worker.url), init);
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
    const setBudget = async (of: string, terms: { limit_micros: number | null }) => {
      const { status, body } = await call(OPERATOR_KEY, "PUT", `${path}/budgets/${of}`, terms);
      if (status !== 201) throw new Error(JSON.stringify(body));
    };
    return {
      id,
      key,
      get,
      setBudget,
      receipt: (run: string) => get(`runs/${encodeURIComponent(run)}`),
      revoke: () => call(OPERATOR_KEY, "DELETE", `${path}/keys/${made.body.id}`),
    };
  }

  return { url: worker.url, newEnterprise, close: () => worker.stop() };
}
