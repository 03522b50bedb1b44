/** The core's platform in production: a Durable Object with its storage and alarm, D1, and other Durable Objects. */
import { signingSecret } from "../access/secrets.ts";
import { webhookSecretOf } from "../access/webhook-secret.ts";
import { currentPrices } from "../catalog/current-prices.ts";
import { catalogOf } from "../catalog/object.ts";
import { isRefusal } from "../ledger/refusals.ts";
import type { Sql, SqlRow } from "./books/sql.ts";
import type { Platform } from "./platform.ts";
import type { Sockets } from "./sockets/sockets.ts";

export function durablePlatform(ctx: DurableObjectState, env: Env, sockets: Sockets): Platform {
  return {
    sql: sqlOf(ctx.storage),
    clock: { realNowMs: () => Date.now() },
    alarm: {
      set: (atMs) => {
        // No await is needed: the object's output gate holds the response back until the alarm is stored.
        ctx.storage.setAlarm(atMs);
      },
    },
    defer: (act, delayMs) => {
      const timer = setTimeout(act, delayMs);
      return () => clearTimeout(timer);
    },
    // A getter, so that a test can replace the binding.
    get copy() {
      return env.DB;
    },
    peers: {
      exists: async (enterprise) => !isRefusal(await env.ENTERPRISE.getByName(enterprise).state({ kind: "operator" })),
      addGrant: (enterprise, request) => env.ENTERPRISE.getByName(enterprise).addGrant(request),
    },
    jobRecords: { put: async (record) => catalogOf(env).putJob(record) },
    sockets,
    webhooks: {
      fetch: (url, init) => fetch(url, init),
      secretOf: (enterprise, url) => webhookSecretOf(signingSecret(env), enterprise, url),
    },
    prices: () => currentPrices(env, ctx),
    log: {
      warn: (event) => console.warn(JSON.stringify(event)),
      error: (event) => console.error(JSON.stringify(event)),
    },
  };
}

function sqlOf(storage: DurableObjectStorage): Sql {
  return {
    all: (statement, ...params) => storage.sql.exec(statement, ...params).toArray() as SqlRow[],
    run: (statement, ...params) => {
      storage.sql.exec(statement, ...params);
    },
    transaction: (body) => storage.transactionSync(body),
  };
}
