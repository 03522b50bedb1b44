/** The core's platform in production: a Durable Object with its storage and alarm, D1, and other Durable Objects. */
import { OPERATOR } from "../access/callers.ts";
import { makeConfirmUrl } from "../access/confirm-link.ts";
import { firstReferralCodeOf } from "../access/referral-code.ts";
import { signingSecret, signingSecrets } from "../access/secrets.ts";
import { webhookSecretOf } from "../access/webhook-secret.ts";
import { findAddress, objectAt } from "../catalog/addresses.ts";
import { currentPrices } from "../catalog/current-prices.ts";
import { catalogOf } from "../catalog/object.ts";
import { renewRestoring } from "../catalog/restoring.ts";
import { allShards, databaseAt } from "../copy/shards.ts";
import { isRefusal, refuse } from "../ledger/refusals.ts";
import { deploymentLinks } from "../wire/links.ts";
import { loadShard } from "./books/copy-shard.ts";
import type { Sql, SqlRow } from "./books/sql.ts";
import type { Email, Platform, Recovery } from "./platform.ts";
import type { Sockets } from "./sockets/sockets.ts";

export function durablePlatform(ctx: DurableObjectState, env: Env, sockets: Sockets): Platform {
  const sql = sqlOf(ctx.storage);
  return {
    sql,
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
    copy: currentCopy(env, sql),
    database: (shard) => databaseAt(env, shard),
    shards: () => allShards(env),
    peers: {
      exists: async (enterprise) => {
        const state = await (await findPeer(ctx, env, enterprise))?.state(OPERATOR);
        return state !== undefined && !isRefusal(state);
      },
      addGrant: async (enterprise, request, by) =>
        (await (await findPeer(ctx, env, enterprise))?.addGrant(request, by)) ?? refuse({ code: "not_found" }),
    },
    lateCopies: { note: async (enterprise, isLate) => catalogOf(env).noteLateCopy(enterprise, isLate) },
    moves: { note: async (enterprise, shard) => catalogOf(env).noteMoved(enterprise, shard) },
    objectSizes: { note: async (enterprise, bytes) => catalogOf(env).noteObjectSize(enterprise, bytes) },
    jobRecords: { put: async (record) => catalogOf(env).putJob(record) },
    sockets,
    webhooks: {
      fetch: (url, init) => fetch(url, init),
      secretOf: (enterprise, url) => webhookSecretOf(signingSecret(env), enterprise, url),
    },
    emails: {
      configured: () => emailSender(env) !== null,
      send: (email) => sendEmail(env, email),
      confirmUrl: (link) => makeConfirmUrl(signingSecret(env), link),
    },
    noteFailedDeliveries: async (enterprise, failed) => catalogOf(env).noteFailedDeliveries(enterprise, failed),
    links: deploymentLinks(env),
    referralCode: (enterprise) => firstReferralCodeOf(signingSecrets(env), enterprise),
    plans: async () => (await catalogOf(env).plans()).plans,
    prices: (minVersion) => currentPrices(env, ctx, minVersion),
    unpricedUsage: "UNPRICED_USAGE" in env && env.UNPRICED_USAGE === "refuse" ? "refuse" : "keep",
    waitingUsage: { report: async (report) => catalogOf(env).reportWaiting(report, ctx.id.toString()) },
    recovery: recoveryOf(ctx, env),
    log: {
      warn: (event) => console.warn(JSON.stringify(event)),
      error: (event) => console.error(JSON.stringify(event)),
    },
  };
}

/** Returns the copy's database, looked up with each call: a move changes it, and tests replace the binding. */
function currentCopy(env: Env, sql: Sql): D1Database {
  const current = () => databaseAt(env, loadShard(sql));
  const database: Pick<D1Database, "prepare" | "batch"> = {
    prepare: (statement) => current().prepare(statement),
    batch: (statements) => current().batch(statements),
  };
  return database as D1Database;
}

function recoveryOf(ctx: DurableObjectState, env: Env): Recovery {
  return {
    isSupported: async () => {
      try {
        await ctx.storage.getBookmarkForTime(Date.now() - 1_000);
        return true;
      } catch (error) {
        if (/does not implement point-in-time recovery/.test(String(error))) return false;
        throw error;
      }
    },
    bookmarkAt: (atMs) => ctx.storage.getBookmarkForTime(atMs),
    startNextAt: (bookmark) => ctx.storage.onNextSessionRestoreBookmark(bookmark),
    restart: () => ctx.abort("the enterprise is being restored"),
    isListed: async (enterprise) => catalogOf(env).isRestoring(enterprise),
  };
}

/** Returns the object of another enterprise; null if it was never created. */
async function findPeer(ctx: DurableObjectState, env: Env, enterprise: string) {
  const address = await findAddress(env, enterprise);
  await renewRestoring(env, ctx);
  return address === null ? null : objectAt(env, address);
}

function sqlOf(storage: DurableObjectStorage): Sql {
  return {
    all: (statement, ...params) => storage.sql.exec(statement, ...params).toArray() as SqlRow[],
    run: (statement, ...params) => {
      storage.sql.exec(statement, ...params);
    },
    transaction: (body) => storage.transactionSync(body),
    sizeBytes: () => storage.sql.databaseSize,
  };
}

type EmailEnv = { EMAIL?: SendEmail; EMAIL_FROM?: string };

/** The sender of emails; null if the deployment cannot send any. */
function emailSender({ EMAIL, EMAIL_FROM }: EmailEnv): string | null {
  return EMAIL === undefined || EMAIL_FROM === undefined || EMAIL_FROM === "" ? null : EMAIL_FROM;
}

async function sendEmail(env: EmailEnv, email: Email): Promise<void> {
  const from = emailSender(env);
  if (from === null) throw new NoEmailError();
  await env.EMAIL?.send({ ...email, from: { email: from, name: "Fuelgauge" } });
}

/** The binding or the sender was removed after the channel was made. */
class NoEmailError extends Error {
  override readonly name = "EmailNotConfigured";
}
