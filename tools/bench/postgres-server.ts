// Node and Hono in front of PostgreSQL, for comparison with the Worker. Accepts the same requests, checks the key and,
// with the product's schema, the reports, and sends the same answers. The database function `debit` makes the decision.
// The benchmark starts it as a separate process: node postgres-server.ts SOCKET KEY CONNECTIONS. It prints its port.
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Hono } from "hono";
import { indexPrices, type PriceBook } from "../../src/catalog/price-book.ts";
import type { Report } from "../../src/ledger/debit.ts";
import { isRefusal } from "../../src/ledger/refusals.ts";
import { splitReports } from "../../src/wire/report.ts";
import { ROOT } from "../install.mjs";
import { PgConnection, PgPool, type Text } from "./postgres-wire.ts";

const COLUMNS = `d.refusal, d.charged_micros, d.run_total_micros, d.remaining_micros, d.used_micros, d.total_micros, d.seq`;
const ONE = `SELECT ${COLUMNS} FROM debit($1, $2, $3, $4, $5, $6, $7::timestamptz, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) AS d`;
/** Calls the function once per report, in order, in one statement and therefore in one transaction. */
const BATCH = `SELECT ${COLUMNS} FROM ROWS FROM (jsonb_to_recordset($2::jsonb) AS (
    run text, model text, surface text, workspace text, user_id text, started_at timestamptz,
    input bigint, output bigint, cache_read bigint, cache_write bigint, final boolean,
    book int, per_usd int, rate_input bigint, rate_output bigint, rate_cache_read bigint, rate_cache_write bigint
  )) AS t CROSS JOIN LATERAL debit($1, t.run, t.model, t.surface, t.workspace, t.user_id, t.started_at,
    t.input, t.output, t.cache_read, t.cache_write, t.final,
    t.book, t.per_usd, t.rate_input, t.rate_output, t.rate_cache_read, t.rate_cache_write) AS d`;

const [socketPath = "", key = "", connections = "1"] = process.argv.slice(2);
const prices = indexPrices(
  // The file has no version: the catalog gives it one.
  {
    version: 1,
    ...JSON.parse(readFileSync(join(ROOT, "src", "catalog", "built-in-prices.json"), "utf8")),
  } as PriceBook,
);
const pool = new PgPool(await Promise.all(Array.from({ length: Number(connections) }, open)));

const app = new Hono();

app.post("/v1/enterprises/:e/debits", async (c) => {
  if (c.req.header("Authorization") !== `Bearer ${key}`) return c.json({ code: "key_invalid" }, 401);
  const split = splitReports(await c.req.json(), prices.find);
  if ("errors" in split) return c.json(split, 422);
  const refused = split.items.find(isRefusal);
  if (refused !== undefined) return c.json(refused, 422);
  const { reports } = split;
  const enterprise = c.req.param("e");
  const rows = split.batch
    ? await pool.execute("batch", [enterprise, JSON.stringify(reports.map(toRecord))])
    : await pool.execute("one", [enterprise, ...Object.values(toRecord(reports[0] as Report)).map(String)]);
  const answers = rows.map((row, i) => answerOf(reports[i] as Report, row));
  return c.json(split.batch ? { results: answers } : answers[0]);
});

const server = createServer((incoming, outgoing) => {
  read(incoming).then(async (body) => {
    const request = new Request(`http://localhost${incoming.url}`, {
      method: incoming.method as string,
      headers: incoming.headers as Record<string, string>,
      body,
    });
    const response = await app.fetch(request);
    const text = await response.text();
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    outgoing.writeHead(response.status, headers).end(text);
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
process.stdin.resume().on("end", () => process.exit(0));

async function open(): Promise<PgConnection> {
  const connection = await PgConnection.open(socketPath, "bench", "postgres");
  await connection.prepare("one", ONE);
  await connection.prepare("batch", BATCH);
  return connection;
}

/** The fields in the order of the function's parameters. */
function toRecord({ run, model, surface, workspace, user, startedAtMs, usage, final, price }: Report) {
  const { bookVersion, creditsPerUsd, rates } = price as NonNullable<Report["price"]>;
  return {
    run,
    model,
    surface,
    workspace,
    user_id: user,
    started_at: new Date(startedAtMs as number).toISOString(),
    input: usage.input ?? 0,
    output: usage.output ?? 0,
    cache_read: usage.cache_read ?? 0,
    cache_write: usage.cache_write ?? 0,
    final,
    book: bookVersion,
    per_usd: creditsPerUsd,
    rate_input: rates.input,
    rate_output: rates.output,
    rate_cache_read: rates.cache_read,
    rate_cache_write: rates.cache_write,
  };
}

function answerOf({ run, model }: Report, row: readonly Text[]) {
  const [refusal, charged, runTotal, remaining, used, total, seq] = row;
  if (refusal !== null) return { status: 409, code: refusal };
  return {
    run,
    model,
    charged_micros: Number(charged),
    run_total_micros: Number(runTotal),
    unit: "credits",
    remaining_micros: Number(remaining),
    available_micros: Number(remaining),
    used_percent: Math.floor((Number(used) / Number(total)) * 10_000) / 100,
    action: remaining === "0" ? "stop" : "continue",
    reason: remaining === "0" ? "credits_exhausted" : null,
    seq: Number(seq),
  };
}

function read(incoming: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => resolve(Buffer.concat(chunks).toString()));
    incoming.on("error", reject);
  });
}
