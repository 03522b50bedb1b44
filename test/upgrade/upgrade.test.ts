// Opens the state of earlier releases with this one (make-state.ts made it): enterprises, copy and catalog as files.
// The earlier release's answers are the expected values. Its credentials must still work.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RawSocket } from "../../tools/workerd/raw-socket.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { builtWorker } from "../support/built-worker.ts";
import { differences, shapeDifferences } from "./differences.ts";
import { type Credentials, RELEASES, type Recorded, type RecordedCall, readFixture, SECRETS } from "./fixture.ts";
import { FROZEN, readAll, sendDebits } from "./requests.ts";

const ENTERPRISES = [...FROZEN, "today"];
/** Methods whose results depend on nothing but the state. Of others, only the shape is compared. */
const EXACT = new Set(["debit", "gauge", "receipt", "entries", "grants", "grant", "start", "releaseHold", "setCap"]);

const root = mkdtempSync(join(tmpdir(), "fuelgauge-upgrade-"));
let bundle: string;
const runtimes: Runtime[] = [];
beforeAll(async () => {
  bundle = await builtWorker();
});
afterAll(async () => {
  await Promise.all(runtimes.map((runtime) => runtime.stop()));
  rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

/** Starts this release on a fresh copy of the earlier one's state. */
async function open(fixture: ReturnType<typeof readFixture>): Promise<Runtime> {
  const directory = join(root, `state-${runtimes.length}`);
  fixture.restore(directory);
  const runtime = new Runtime(bundle, directory, { secrets: SECRETS });
  runtimes.push(runtime);
  await runtime.start();
  await runtime.migrate();
  return runtime;
}

const projectAll = async (runtime: Runtime) => {
  for (const enterprise of ENTERPRISES) await runtime.project(enterprise);
};

function expectAsBefore(before: Recorded[], after: Recorded[]): void {
  const found = new Map(after.map(({ path, answer }) => [path, answer]));
  // A key that this test uses is used later than in the fixture.
  const different = before
    .flatMap(({ path, answer }) => differences(answer, found.get(path), path))
    .filter((difference) => !difference.includes(".last_used_at:"));
  expect(different.slice(0, 20)).toEqual([]);
}

async function expectAuditOk(runtime: Runtime, enterprise: string): Promise<void> {
  type Audit = { ok: boolean; checks?: { ok: boolean; name: string; detail: string }[] };
  await expect
    .poll(async () => (await runtime.call("GET", `/v1/enterprises/${enterprise}/audit`)) as Audit)
    .toMatchObject({ ok: true });
}

describe.each(RELEASES)("the state of %s", (release) => {
  const fixture = readFixture(release);

  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await open(fixture);
  });

  describe("after an upgrade", () => {
    it("answers every question as the earlier release did", async () => {
      await projectAll(runtime);
      expectAsBefore(fixture.reads, await readAll(runtime));
    });

    it("charges further reports on old meters exactly", async () => {
      const debits = await sendDebits(runtime, fixture.credentials);
      expect(differences(fixture.debits, debits).slice(0, 20)).toEqual([]);
      await projectAll(runtime);
      expectAsBefore(fixture.readsAfterDebits, await readAll(runtime));
    });

    it.each(ENTERPRISES)("finds nothing wrong with %s, before and after a rebuild of the copy", async (enterprise) => {
      await expectAuditOk(runtime, enterprise);
      await runtime.call("POST", `/v1/enterprises/${enterprise}/rebuild`);
      await expectAuditOk(runtime, enterprise);
    });

    it("shows the same after a rebuild", async () => {
      expectAsBefore(fixture.readsAfterDebits, await readAll(runtime));
    });

    it("starts the cycle of an enterprise with the real clock on time", async () => {
      const gauge = (await runtime.call("GET", "/v1/enterprises/today/gauge")) as { cycle: { ends_at: string } };
      expect(Date.parse(gauge.cycle.ends_at)).toBeGreaterThan(Date.now());
    });
  });

  describe("credentials of the earlier release", () => {
    const get = (path: string, headers: Record<string, string>) =>
      fetch(`http://localhost:${runtime.port}${path}`, { headers, redirect: "manual" });
    const credentialsOf = (enterprise: string) => fixture.credentials[enterprise] as Credentials;
    const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

    it.each(ENTERPRISES)("keys of %s work, and a revoked one does not", async (enterprise) => {
      const { key, adminKey, revokedKey } = credentialsOf(enterprise);
      const gauge = `/v1/enterprises/${enterprise}/gauge`;
      expect((await get(gauge, bearer(key))).status).toBe(200);
      expect((await get(`/v1/enterprises/${enterprise}/keys`, bearer(adminKey))).status).toBe(200);
      expect((await get(gauge, bearer(revokedKey))).status).toBe(401);
    });

    it.each(ENTERPRISES)("a session, an embed token and sign-in links of %s work", async (enterprise) => {
      const { session, embedToken, link, usedLink } = credentialsOf(enterprise);
      const cookie = { cookie: `fuelgauge=${session}` };
      expect((await get("/settings/usage", cookie)).status).toBe(200);
      expect((await get(`/v1/enterprises/${enterprise}/usage/top/users`, cookie)).status).toBe(200);
      const origin = { ...bearer(embedToken), origin: "https://ide.example" };
      expect((await get(`/v1/enterprises/${enterprise}/gauge`, origin)).status).toBe(200);
      const signIn = async (token: string) => {
        const site = `http://localhost:${runtime.port}`;
        const headers = { "content-type": "application/x-www-form-urlencoded", origin: site };
        const body = new URLSearchParams({ token });
        const response = await fetch(`${site}/signin`, { method: "POST", headers, body, redirect: "manual" });
        return /^fuelgauge=[^;]/.test(response.headers.get("set-cookie") ?? "");
      };
      expect(await signIn(link)).toBe(true);
      expect(await signIn(link)).toBe(false);
      expect(await signIn(usedLink)).toBe(false);
    });

    it("the operator's session and a referral code work", async () => {
      const cookie = { cookie: `fuelgauge-operator=${fixture.operatorSession}` };
      expect((await get("/operator", cookie)).status).toBe(200);
      await runtime.call("POST", "/v1/referrals", { code: fixture.referralCode, referee: "today" });
    });

    it("a debit socket works", async () => {
      const { key } = credentialsOf("free");
      const reply = await new Promise<string>((resolve, reject) => {
        const socket = new RawSocket(
          { port: runtime.port, path: "/v1/enterprises/free/debits/stream", key },
          (text) => {
            socket.close();
            resolve(text);
          },
          reject,
        );
        const report = { run: "hold-active", model: "gpt-5", usage: { input_tokens: 20_000, output_tokens: 0 } };
        socket.opened.then(() => socket.send(JSON.stringify({ id: 1, ...report })), reject);
      });
      expect(JSON.parse(reply)).toMatchObject({ id: 1, run: "hold-active", unit: "credits" });
    });
  });

  it("answers the calls of an earlier Worker while a deployment is under way", async () => {
    const runtime = await open(fixture);
    await projectAll(runtime);
    const different: string[] = [];
    for (const call of fixture.calls) {
      const { binding, object, method, result } = call;
      const compare = EXACT.has(method) ? differences : shapeDifferences;
      different.push(...compare(result, await replay(runtime, call), `${binding}.${method}(${object})`));
    }
    expect(different.slice(0, 20)).toEqual([]);
  });
});

async function replay(runtime: Runtime, { binding, object, method, args }: RecordedCall): Promise<unknown> {
  const response = await fetch(`http://localhost:${runtime.port}/bench/call`, {
    method: "POST",
    body: JSON.stringify({ binding, object, method, args }),
  });
  if (!response.ok) throw new Error(`${method}: ${response.status} ${await response.text()}`);
  return response.json();
}
