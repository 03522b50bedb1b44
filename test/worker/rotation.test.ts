// Replacing the deployment's two secrets while requests arrive: no request with a valid key is refused. A change of a
// secret reaches the locations one after another. So during each step, requests alternate between Workers with the
// secrets before and after it, and what one Worker has signed is sent to the other.
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { app } from "../../src/app.tsx";
import { rotationSteps, type Secrets } from "../support/rotation.ts";
import { costing, newEnterprise, OPERATOR_KEY, start } from "./api.ts";
import { EDITOR_ORIGIN } from "./sessions.ts";

const OLD = { OPERATOR_KEY, SIGNING_SECRET: env.SIGNING_SECRET };
const NEW = {
  OPERATOR_KEY: "the-new-operator-key-of-the-tests-32-characters",
  SIGNING_SECRET: "the-new-signing-secret-of-the-tests-32-characters",
};
const [BEFORE, ACCEPTED, EXCHANGED, AFTER] = rotationSteps(OLD, NEW);

const { SIGNING_SECRET_PREVIOUS: _, OPERATOR_KEY_PREVIOUS: __, ...bare } = env as unknown as Record<string, unknown>;
const HOST = "https://fuelgauge.test";

/** The secrets of the Workers that serve requests now, in turns. */
let serving: Secrets[] = [BEFORE];
let turn = 0;

async function fetchFrom(path: string, init: RequestInit): Promise<Response> {
  const secrets = serving[++turn % serving.length];
  const request = new Request(`${HOST}${path}`, { redirect: "manual", ...init });
  return app.fetch(request, { ...bare, ...secrets } as unknown as Env, createExecutionContext());
}

async function send(headers: Record<string, string>, method: string, path: string, body?: unknown) {
  const init = { method, headers: { ...headers, "Content-Type": "application/json" } };
  const response = await fetchFrom(path, body === undefined ? init : { ...init, body: JSON.stringify(body) });
  const text = await response.text();
  const json = response.headers.get("Content-Type")?.includes("json") === true && text !== "";
  return { status: response.status, body: json ? JSON.parse(text) : null };
}
const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

/** Sends a form as a browser does, and returns the cookie that the response sets. */
async function cookieFromForm(path: string, fields: Record<string, string>): Promise<{ Cookie: string }> {
  const headers = { "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded" };
  const response = await fetchFrom(path, { method: "POST", headers, body: new URLSearchParams(fields).toString() });
  return { Cookie: (response.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "" };
}

it("refuses no request with a valid key while both secrets are rotated", async () => {
  const e = await newEnterprise({ plan: "enterprise" });
  const code = (await send(bearer(OPERATOR_KEY), "GET", e.path)).body.referral_code;
  const reading = { name: "prometheus", scopes: ["metrics"] };
  const { key: firstReader } = (await send(bearer(OPERATOR_KEY), "POST", "/v1/operator-keys", reading)).body;
  const holders = { agent: e.key, operator: OPERATOR_KEY, prometheus: firstReader as string };

  /** How often each request had each status, by the step that was under way. */
  const outcomes: Record<string, number> = {};
  let step = "before";
  const note = (who: string, status: number) => {
    const outcome = `${step}: ${who} ${status}`;
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  let stopped = false;
  let runs = 0;
  async function traffic(who: string, call: () => Promise<{ status: number }>) {
    while (!stopped) {
      note(who, (await call()).status);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  const gauge = (headers: Record<string, string>) => send(headers, "GET", `${e.path}/gauge`);
  const person = { user: "ada", role: "member" };
  const flows = [
    traffic("debit", () =>
      send(bearer(holders.agent), "POST", `${e.path}/debits`, costing(1, { run: `r${++runs}`, final: true })),
    ),
    traffic("start", () => send(bearer(holders.agent), "POST", `${e.path}/runs`, start({ run: `s${++runs}` }))),
    traffic("operator", () => send(bearer(holders.operator), "GET", e.path)),
    traffic("metrics", () => gauge(bearer(holders.prometheus))),
    // What is made here is used at once, by a Worker that may not have signed it.
    traffic("new key", async () => {
      const asked = { name: "short", scopes: ["read"] };
      const made = await send(bearer(holders.operator), "POST", `${e.path}/keys`, asked);
      const used = await gauge(bearer(made.body.key));
      const revoked = await send(bearer(holders.operator), "DELETE", `${e.path}/keys/${made.body.id}`);
      note("revoking", revoked.status);
      return used;
    }),
    traffic("embed", async () => {
      const asked = { ...person, origin: EDITOR_ORIGIN };
      const { body } = await send(bearer(holders.operator), "POST", `${e.path}/embed-tokens`, asked);
      return gauge({ ...bearer(body.token), Origin: EDITOR_ORIGIN });
    }),
    traffic("session", async () => {
      const { body } = await send(bearer(holders.operator), "POST", `${e.path}/sessions`, person);
      const token = new URL(body.url).searchParams.get("token") ?? "";
      return gauge(await cookieFromForm("/signin", { token }));
    }),
    traffic("console", async () => {
      const cookie = await cookieFromForm("/operator/signin", { operator_key: holders.operator });
      return fetchFrom(`/operator/enterprises/${e.id}`, { headers: { ...cookie, Accept: "text/html" } });
    }),
  ];
  const WHO = ["debit", "start", "operator", "metrics", "new key", "revoking", "embed", "session", "console"];

  /** Lets traffic go on until every request was sent often with the secrets that are in force now. */
  async function letTrafficPass(name: string): Promise<void> {
    step = name;
    const sent = (who: string) =>
      Object.entries(outcomes).reduce((sum, [key, n]) => (key.startsWith(`${name}: ${who} `) ? sum + n : sum), 0);
    await expect.poll(() => WHO.filter((who) => sent(who) < 6), { timeout: 120_000 }).toEqual([]);
  }
  async function changeSecrets(from: Secrets, to: Secrets, name: string): Promise<void> {
    serving = [from, to];
    await letTrafficPass(`${name}, one Worker after another`);
    serving = [to];
    await letTrafficPass(name);
  }
  type Row = { id: string; name: string; revoked_at: string | null; signed_with: string };
  const livingKeys = async () => {
    const { body } = await send(bearer(holders.operator), "GET", `${e.path}/keys`);
    return (body.rows as Row[]).filter(({ name, revoked_at }) => revoked_at === null && name !== "short");
  };

  await letTrafficPass("before");
  await changeSecrets(BEFORE, ACCEPTED, "accepting the new secrets");
  await changeSecrets(ACCEPTED, EXCHANGED, "exchanging them");

  holders.operator = NEW.OPERATOR_KEY;
  const [old] = await livingKeys();
  expect(old).toMatchObject({ signed_with: "previous" });
  const agent = { name: "new", scopes: ["debit", "read"] };
  holders.agent = (await send(bearer(holders.operator), "POST", `${e.path}/keys`, agent)).body.key;
  const [reader] = (await send(bearer(holders.operator), "GET", "/v1/operator-keys")).body.rows;
  expect(reader).toMatchObject({ name: "prometheus", signed_with: "previous" });
  holders.prometheus = (await send(bearer(holders.operator), "POST", "/v1/operator-keys", reading)).body.key;
  await letTrafficPass("with new keys");
  expect((await send(bearer(holders.operator), "DELETE", `${e.path}/keys/${old?.id}`)).status).toBe(204);
  expect(await livingKeys()).toMatchObject([{ signed_with: "current" }]);

  await changeSecrets(EXCHANGED, AFTER, "removing the old secrets");
  stopped = true;
  await Promise.all(flows);
  expect(Object.keys(outcomes).filter((outcome) => !/ 20[014]$/.test(outcome))).toEqual([]);

  // What was signed with the old secret has ended, except the referral code, which is stored.
  expect((await gauge(bearer(e.key))).body.code).toBe("key_invalid");
  expect((await send(bearer(OPERATOR_KEY), "GET", e.path)).body.code).toBe("key_invalid");
  expect((await gauge(bearer(firstReader))).body.code).toBe("key_invalid");
  const referral = { code, referee: (await newEnterprise()).id };
  expect((await send(bearer(holders.operator), "POST", "/v1/referrals", referral)).status).toBe(201);
  expect((await send(bearer(holders.operator), "GET", e.path)).body.referral_code).toBe(code);
}, 900_000);

it("would refuse new keys for a while if the new secrets were exchanged at once", async () => {
  const e = await newEnterprise();
  serving = [BEFORE, EXCHANGED];
  turn = 0;
  const { body } = await send(bearer(OPERATOR_KEY), "POST", `${e.path}/keys`, { name: "k", scopes: ["read"] });
  const refused = await send(bearer(body.key), "GET", `${e.path}/gauge`);
  expect([refused.status, refused.body.code]).toEqual([401, "key_invalid"]);
});
