// Replacing the deployment's two secrets while requests arrive: no request with a valid key is refused.
import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { app } from "../../src/app.tsx";
import { costing, newEnterprise, OPERATOR_KEY, start } from "./api.ts";
import { EDITOR_ORIGIN, embedToken, sessionCookie } from "./sessions.ts";

type Secrets = Partial<
  Record<"OPERATOR_KEY" | "SIGNING_SECRET" | `${"OPERATOR_KEY" | "SIGNING_SECRET"}_PREVIOUS`, string>
>;

const NEW_OPERATOR_KEY = "the-new-operator-key-of-the-tests-32-characters";
const NEW_SECRET = "the-new-signing-secret-of-the-tests-32-characters";

/** The steps of docs/operate.md: both secrets at the same time, in a deployment that never stops. */
const OLD: Secrets = { OPERATOR_KEY, SIGNING_SECRET: env.SIGNING_SECRET };
const BOTH: Secrets = {
  OPERATOR_KEY: NEW_OPERATOR_KEY,
  OPERATOR_KEY_PREVIOUS: OPERATOR_KEY,
  SIGNING_SECRET: NEW_SECRET,
  SIGNING_SECRET_PREVIOUS: env.SIGNING_SECRET,
};
const NEW: Secrets = { OPERATOR_KEY: NEW_OPERATOR_KEY, SIGNING_SECRET: NEW_SECRET };

const { SIGNING_SECRET_PREVIOUS: _, OPERATOR_KEY_PREVIOUS: __, ...bare } = env as unknown as Record<string, unknown>;
let secrets = OLD;

async function send(headers: Record<string, string>, method: string, path: string, body?: unknown) {
  const init = { method, headers: { ...headers, "Content-Type": "application/json" } };
  const sent = body === undefined ? init : { ...init, body: JSON.stringify(body) };
  const request = new Request(`https://fuelgauge.test${path}`, sent);
  const response = await app.fetch(request, { ...bare, ...secrets } as unknown as Env, createExecutionContext());
  const text = await response.text();
  const json = response.headers.get("Content-Type")?.includes("json") === true && text !== "";
  return { status: response.status, body: json ? JSON.parse(text) : null };
}
const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

it("refuses no request with a valid key while both secrets are rotated", async () => {
  const e = await newEnterprise({ plan: "enterprise" });
  const code = (await send(bearer(OPERATOR_KEY), "GET", e.path)).body.referral_code;
  const { key: opsKey } = (
    await send(bearer(OPERATOR_KEY), "POST", "/v1/operator-keys", { name: "prometheus", scopes: ["metrics"] })
  ).body;
  const holders = { agent: e.key, operator: OPERATOR_KEY, prometheus: opsKey as string };
  const cookie = await sessionCookie(e.id);
  const embed = { ...bearer(await embedToken(e.id)), Origin: EDITOR_ORIGIN };
  const statuses: Record<string, number> = {};
  let stopped = false;
  let runs = 0;
  const note = (who: string, { status }: { status: number }) => {
    const outcome = `${who} ${status}`;
    statuses[outcome] = (statuses[outcome] ?? 0) + 1;
  };
  async function traffic(who: string, call: () => ReturnType<typeof send>) {
    while (!stopped) {
      note(who, await call());
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  const flows = [
    traffic("debit", () =>
      send(bearer(holders.agent), "POST", `${e.path}/debits`, costing(1, { run: `r${++runs}`, final: true })),
    ),
    traffic("start", () => send(bearer(holders.agent), "POST", `${e.path}/runs`, start({ run: `s${++runs}` }))),
    traffic("operator", () => send(bearer(holders.operator), "GET", e.path)),
    traffic("metrics", () => send(bearer(holders.prometheus), "GET", `${e.path}/gauge`)),
  ];
  const sessions = [
    traffic("session", () => send(cookie, "GET", `${e.path}/gauge`)),
    traffic("embed", () => send(embed, "GET", `${e.path}/gauge`)),
  ];
  const pause = () => new Promise((resolve) => setTimeout(resolve, 150));
  const keysOf = async () => (await send(bearer(holders.operator), "GET", `${e.path}/keys`)).body.rows;
  await pause();

  secrets = BOTH;
  await pause();
  // Sessions and tokens end by themselves within twelve hours, so they are not replaced.
  expect((await keysOf()).map((row: { signed_with: string }) => row.signed_with)).toEqual(["previous"]);
  holders.operator = NEW_OPERATOR_KEY;
  const [old] = await keysOf();
  const made = await send(bearer(holders.operator), "POST", `${e.path}/keys`, { name: "b", scopes: ["debit", "read"] });
  holders.agent = made.body.key;
  const opsKeys = (await send(bearer(holders.operator), "GET", "/v1/operator-keys")).body.rows;
  expect(opsKeys[0]).toMatchObject({ name: "prometheus", signed_with: "previous" });
  const remade = { name: "prometheus", scopes: ["metrics"] };
  holders.prometheus = (await send(bearer(holders.operator), "POST", "/v1/operator-keys", remade)).body.key;
  await pause();
  expect((await send(bearer(holders.operator), "DELETE", `${e.path}/keys/${old.id}`)).status).toBe(204);
  const left = (await keysOf()).filter((row: { revoked_at: string | null }) => row.revoked_at === null);
  expect(left.map((row: { signed_with: string }) => row.signed_with)).toEqual(["current"]);
  const counted = { ...statuses };
  expect(Object.keys(counted).filter((outcome) => !/ 20[01]$/.test(outcome))).toEqual([]);

  // A request that was already under way keeps the secrets with which it began, so sessions are only stopped here.
  stopped = true;
  await Promise.all([...flows, ...sessions]);
  secrets = NEW;
  stopped = false;
  const after = ["debit", "operator", "metrics"] as const;
  note(after[0], await send(bearer(holders.agent), "POST", `${e.path}/debits`, costing(1, { run: "last" })));
  note(after[1], await send(bearer(holders.operator), "GET", e.path));
  note(after[2], await send(bearer(holders.prometheus), "GET", `${e.path}/gauge`));
  expect(Object.keys(statuses).filter((outcome) => !/ 20[01]$/.test(outcome))).toEqual([]);
  for (const who of ["debit", "start", "operator", "metrics", "session", "embed"]) {
    expect([who, (statuses[`${who} 200`] ?? 0) + (statuses[`${who} 201`] ?? 0) > 5]).toEqual([who, true]);
  }

  // What was signed with the old secret has ended, except the referral code, which is stored.
  expect((await send(bearer(e.key), "GET", `${e.path}/gauge`)).body.code).toBe("key_invalid");
  expect((await send(bearer(OPERATOR_KEY), "GET", e.path)).body.code).toBe("key_invalid");
  const referee = await newEnterprise();
  const referral = { code, referee: referee.id };
  expect((await send(bearer(holders.operator), "POST", "/v1/referrals", referral)).status).toBe(201);
  expect((await send(bearer(holders.operator), "GET", e.path)).body.referral_code).toBe(code);
});
