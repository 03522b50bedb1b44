// The secret of the webhook URL: random, stored, and shown once. Objects of the last release derived it from
// SIGNING_SECRET, and store what they have used, so that receivers go on verifying.
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { signingSecret } from "../../src/access/secrets.ts";
import { webhookSecretOf } from "../../src/access/webhook-secret.ts";
import { catalogOf } from "../../src/catalog/object.ts";
import { storeWebhookSecrets } from "../../src/operations/store-webhook-secrets.ts";
import { type Enterprise, invalidPaths, newEnterprise, objectOf, operator } from "./api.ts";

const URL = "https://hooks.acme.example/fuel";

type Received = { headers: Record<string, string>; body: string };
let received: Received[];

beforeEach(() => {
  received = [];
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    received.push({ headers: init.headers as Record<string, string>, body: init.body as string });
    return new Response(null, { status: 204 });
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

/** The secret that verifies the next event, of these. */
async function signedWith({ id, path }: Pick<Enterprise, "id" | "path">, secrets: readonly string[]) {
  received = [];
  await operator("POST", `${path}/webhooks/test`);
  await runDurableObjectAlarm(objectOf(id));
  await expect.poll(() => received.length).toBe(1);
  const [{ headers, body }] = received as [Received];
  return secrets.find((secret) => {
    try {
      return new Webhook(secret).verify(body, headers) !== null;
    } catch {
      return false;
    }
  });
}

const stored = ({ id }: Pick<Enterprise, "id">) =>
  runInDurableObject(objectOf(id), (_, { storage }) => storage.sql.exec("SELECT secret FROM webhook_secret").toArray());

/** Makes the object one of the last release, which stored no secret. */
async function asLastRelease(e: Pick<Enterprise, "id">): Promise<string> {
  await runInDurableObject(objectOf(e.id), (_, { storage }) =>
    storage.sql.exec("DELETE FROM webhook_secret").toArray(),
  );
  return webhookSecretOf(signingSecret(env), e.id, URL);
}

it("gives each new URL a random secret, also one that was used before, and replaces a secret on request", async () => {
  const e = await newEnterprise();
  const put = async (change: object) => (await e.put(change)).body.webhook_secret as string | undefined;
  const first = await put({ webhook_url: URL });
  expect(await put({ webhook_url: URL, name: "Same" })).toBeUndefined();
  await put({ webhook_url: null });
  const second = await put({ webhook_url: URL });
  const third = await put({ rotate_secret: true });
  expect(new Set([first, second, third, await webhookSecretOf(signingSecret(env), e.id, URL)]).size).toBe(4);
  expect(await signedWith(e, [first, second, third] as string[])).toBe(third);
  expect((await operator("GET", e.path)).text).not.toContain("whsec_");
  await put({ webhook_url: null });
  expect(invalidPaths(await e.put({ rotate_secret: true }))).toEqual(["rotate_secret"]);
  expect(invalidPaths(await e.put({ rotate_secret: "yes" }))).toEqual(["rotate_secret"]);
});

it("stores the derived secret when an object of the last release wakes, and signs with it", async () => {
  const e = await newEnterprise({ webhook_url: URL });
  const derived = await asLastRelease(e);
  expect(await signedWith(e, [derived])).toBe(derived);
  await runDurableObjectAlarm(objectOf(e.id));
  expect(await stored(e)).toEqual([{ secret: derived }]);
});

it("sets the alarm for it with the first call of a new instance", async () => {
  const e = await newEnterprise({ webhook_url: URL });
  const derived = await asLastRelease(e);
  await runInDurableObject(objectOf(e.id), (_, { storage }) => storage.deleteAlarm());
  await evictDurableObject(objectOf(e.id));
  await e.gauge();
  await runDurableObjectAlarm(objectOf(e.id));
  await expect.poll(() => stored(e)).toEqual([{ secret: derived }]);
});

it("wakes the enterprises that were listed before the upgrade, in portions, and counts those that are left", async () => {
  const enterprises = [];
  for (let n = 0; n < 25; n++) enterprises.push(await newEnterprise({ webhook_url: URL }));
  const without = await newEnterprise();
  const secrets = await Promise.all(enterprises.map(asLastRelease));
  await catalogOf(env).enrol("never-created");
  await runInDurableObject(catalogOf(env), (_, { storage }) =>
    storage.sql.exec("UPDATE webhook_secrets SET after_number = 0, until_number = 1000").toArray(),
  );
  const metric = async () => {
    const { text } = await operator("GET", "/metrics");
    return Number(/^fuelgauge_webhook_secrets_to_store (\d+)$/m.exec(text)?.[1]);
  };
  expect(await metric()).toBeGreaterThanOrEqual(27);
  expect(await storeWebhookSecrets(env)).toBe(0);
  expect(await metric()).toBe(0);
  expect(await Promise.all(enterprises.map(stored))).toEqual(secrets.map((secret) => [{ secret }]));
  expect(await stored(without)).toEqual([]);
});

it("tries an enterprise that failed again, and does not let it hold up the others", async () => {
  const [a, b] = [await newEnterprise({ webhook_url: URL }), await newEnterprise({ webhook_url: URL })];
  await asLastRelease(a);
  const derived = await asLastRelease(b);
  await runInDurableObject(catalogOf(env), (_, { storage }) =>
    storage.sql.exec("UPDATE webhook_secrets SET after_number = 0, until_number = 100000").toArray(),
  );
  vi.spyOn(console, "error").mockImplementation(() => {});
  const broken = {
    ...env,
    ENTERPRISE: { getByName: (id: string) => (id === a.id ? failing : env.ENTERPRISE.getByName(id)) },
  };
  const failing = { storeWebhookSecret: () => Promise.reject(new Error("broken")) };
  expect(await storeWebhookSecrets(broken as unknown as Env)).toBe(1);
  expect(await stored(b)).toEqual([{ secret: derived }]);
  expect(await stored(a)).toEqual([]);
  expect(await storeWebhookSecrets(env)).toBe(0);
  expect(await stored(a)).toHaveLength(1);
  vi.restoreAllMocks();
});
