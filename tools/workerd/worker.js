// @ts-nocheck: runs in workerd next to the built Worker, and imports it by its module name there.
// The Worker of benchmarks and tests: the unchanged product, plus calls that read or drive an object from outside, empty
// calls that debits are compared with, and counters of what Cloudflare bills. The variable COUNT=1 switches counting on;
// it is off while time is measured, because counting takes time. RECOVERY=1 gives objects a point-in-time recovery.
import { bindingsOf, runStatements, setCopyAt, takeObjectCalls } from "./elsewhere.js";
import { followClock, moveClock } from "./movable-clock.js";
import product, { CatalogObject as Catalog, EnterpriseObject as Product } from "./product.js";
import { provideRecovery, startAtBookmark, takeSnapshot } from "./recovery.js";
import { keepUndefined, restoreUndefined } from "./undefined-fields.js";

const NAME = "bench";
const STEP_DELAY_MS = 60;

/** An answer as long as that of a debit. */
const ANSWER = {
  run: "run-12-34-56",
  model: "claude-sonnet-4-5",
  charged_micros: 138_600,
  run_total_micros: 824_400,
  unit: "credits",
  remaining_micros: 5_000_002_999_175_600,
  available_micros: 5_000_002_999_175_600,
  used_percent: 0,
  action: "continue",
  reason: null,
  seq: 123_456,
};

// Handles a debit's request around an empty call: the same middleware, the body parsed as JSON, an answer of equal length.
product.post("/bench-http-empty", async (c) => {
  await c.req.json();
  await c.env.ENTERPRISE.getByName(NAME).empty();
  return c.json(ANSWER);
});

export class CatalogObject extends Catalog {
  constructor(ctx, env) {
    followClock(ctx.storage);
    super(ctx, env);
  }

  wake() {
    return this.ctx.storage.setAlarm(Date.now());
  }
}

export class EnterpriseObject extends Product {
  #counts = null;

  constructor(ctx, env) {
    followClock(ctx.storage);
    if (env.RECOVERY === "1") {
      provideRecovery(ctx.storage);
      startAtBookmark(ctx.storage);
    }
    const counts = env.COUNT === "1" ? newCounts() : null;
    if (counts !== null) countStorage(ctx.storage, counts);
    const bindings = bindingsOf(env);
    super(ctx, counts === null ? bindings : { ...bindings, DB: countedDb(bindings.DB, counts) });
    this.#counts = counts;
  }

  /** Does nothing, to measure what every call costs. */
  empty() {}

  async alarm() {
    if (this.#counts !== null) this.#counts.alarmsRun += 1;
    return super.alarm();
  }

  /** Runs the alarm's work now, and returns the counts since the last call. */
  async takeCounts() {
    await super.alarm();
    const taken = { ...this.#counts, rowsWritten: 0, rowsRead: 0 };
    for (const { text, cursor } of this.#counts.cursors) {
      taken.rowsWritten += cursor.rowsWritten;
      taken.rowsRead += cursor.rowsRead;
      addStatement(taken.statements, "object", text, cursor.rowsWritten);
    }
    Object.assign(this.#counts, newCounts());
    const { cursors: _, ...numbers } = taken;
    return numbers;
  }

  async project() {
    await super.alarm();
  }

  /** The sum of what all meters were charged. */
  chargedMicros() {
    return this.ctx.storage.sql.exec("SELECT sum(charged_micros) AS micros FROM meters").one().micros;
  }

  /** Deletes failed events, which would delay those of a later turn. */
  forgetWebhooks() {
    this.ctx.storage.sql.exec("DELETE FROM webhooks");
  }

  idText() {
    return this.ctx.id.toString();
  }

  wake() {
    return this.ctx.storage.setAlarm(Date.now());
  }

  snapshot() {
    return takeSnapshot(this.ctx.storage.sql);
  }

  /** With a recovery, each step takes time on its way to the object and back, so that a kill can meet it anywhere. */
  async restoreStep(...call) {
    if (this.env.RECOVERY !== "1") return super.restoreStep(...call);
    await scheduler.wait(Math.random() * STEP_DELAY_MS);
    const result = await super.restoreStep(...call);
    await scheduler.wait(Math.random() * STEP_DELAY_MS);
    return result;
  }
}

export default {
  async fetch(request, own, ctx) {
    const env = bindingsOf(own);
    const path = request.url.slice(request.url.indexOf("/", "https://".length));
    if (!path.startsWith("/bench/")) return product.fetch(request, env.RECORD === "1" ? recorded(env) : env, ctx);
    const [what, name = NAME] = path.slice("/bench/".length).split("?");
    const stub = env.ENTERPRISE.getByName(name);
    switch (what) {
      case "empty":
        await stub.empty();
        return new Response("ok");
      case "id":
        return new Response(await stub.idText());
      case "project":
        await stub.project();
        return new Response("ok");
      case "webhook": {
        // Calls the object directly, because the interface accepts only public host names. Without a URL, nothing is sent.
        const webhookUrl = request.headers.get("bench-url");
        await stub.provision(name, { webhookUrl }, null, undefined);
        if (webhookUrl === null) await stub.forgetWebhooks();
        for (let n = Number(request.headers.get("bench-events") ?? 0); n > 0; n--) await stub.testWebhook();
        return new Response("ok");
      }
      case "snapshot":
        return new Response(await stub.snapshot());
      case "move-clock":
        moveClock(Number(request.headers.get("bench-ms")));
        await Promise.all([env.CATALOG.getByName("catalog").wake(), stub.wake()]);
        return new Response("ok");
      case "counts":
        return Response.json(await stub.takeCounts());
      case "charged":
        return Response.json({ amount_micros: await stub.chargedMicros() });
      case "copied":
        return Response.json(await bindingsOf(env).DB.prepare(COPIED).bind(name).first());
      case "copy-at":
        setCopyAt(request.headers.get("bench-url"));
        return new Response("ok");
      case "d1":
        return Response.json(await runStatements(env.DB, await request.json()));
      case "object-calls":
        return Response.json(takeObjectCalls());
      case "recorded-calls":
        return new Response(JSON.stringify(calls.splice(0), keepUndefined));
      case "call": {
        // Calls an object as a Worker of another release or of another process does.
        const { binding, object, method, args } = await request.json();
        const result = await env[binding].getByName(object)[method](...restoreUndefined(args));
        return new Response(JSON.stringify(result === undefined ? null : result));
      }
      case "rows-read": {
        // Lets the product answer this request, and returns how many rows D1 read for it.
        const counts = newCounts();
        const url = new URL(request.headers.get("bench-path"), request.url);
        const response = await product.fetch(new Request(url, request), { ...env, DB: countedDb(env.DB, counts) }, ctx);
        await response.arrayBuffer();
        return Response.json({ status: response.status, ...counts });
      }
      default:
        return new Response(`There is no call "${what}".`, { status: 404 });
    }
  },
};

/** What the product called in its objects, with `RECORD=1`: the arguments as they were sent, and the results. */
const calls = [];

/** The bindings of the product, where each call of an object is recorded. */
function recorded(env) {
  const recordedStub = (binding, object) =>
    new Proxy(env[binding].getByName(object), {
      get: (stub, method) => {
        // A stub that an async function returns must not look like a promise.
        if (method === "then") return undefined;
        if (method === "fetch") return (...args) => stub.fetch(...args);
        return async (...args) => {
          const result = await stub[method](...args);
          calls.push({ binding, object, method, args, result: result === undefined ? null : result });
          return result;
        };
      },
    });
  const recordedObjects = (binding) => ({ getByName: (object) => recordedStub(binding, object) });
  return { ...env, ENTERPRISE: recordedObjects("ENTERPRISE"), CATALOG: recordedObjects("CATALOG") };
}

/** The sum of all charges of the current cycle that have reached the copy. */
const COPIED = `SELECT max(cycle_starts_at_ms), amount_micros FROM usage_by_dimension
  WHERE enterprise = ? AND dimension = 'all' AND id = ''`;

function newCounts() {
  return {
    cursors: [],
    /** Rows written by each statement. */
    statements: {},
    alarmsSet: 0,
    alarmsRun: 0,
    d1RowsWritten: 0,
    d1RowsRead: 0,
    d1Queries: 0,
    d1Batches: 0,
    d1Ms: 0,
  };
}

/** Adds the rows that a statement wrote. Its start names it: what it does, and to which table. */
function addStatement(statements, where, text, rows) {
  if (rows === 0) return;
  const name = `${where}: ${/^[^(]*?(?=\(| SET | WHERE |$)/.exec(text.replace(/\s+/g, " ").trim())[0].trim()}`;
  statements[name] = (statements[name] ?? 0) + rows;
}

/** Keeps the cursors, because they know how many rows they wrote only when they are done. */
function countStorage(storage, counts) {
  const { exec } = storage.sql;
  Object.getPrototypeOf(storage.sql).exec = function (...args) {
    const cursor = exec.apply(this, args);
    counts.cursors.push({ text: args[0], cursor });
    return cursor;
  };
  const { setAlarm } = storage;
  Object.getPrototypeOf(storage).setAlarm = function (...args) {
    counts.alarmsSet += 1;
    return setAlarm.apply(this, args);
  };
}

function countedDb(db, counts) {
  const add = ({ meta }, text) => {
    counts.d1Queries += 1;
    addStatement(counts.statements, "D1", text, meta.rows_written);
    counts.d1RowsWritten += meta.rows_written;
    counts.d1RowsRead += meta.rows_read;
  };
  const counted = (statement, text) => ({
    statement,
    text,
    bind: (...values) => counted(statement.bind(...values), text),
    all: async () => {
      const result = await statement.all();
      add(result, text);
      return result;
    },
    first: async (...args) => {
      add(await statement.all(), text);
      return statement.first(...args);
    },
    raw: async (...args) => {
      // `raw` returns no counts, so the query runs a second time.
      add(await statement.all(), text);
      return statement.raw(...args);
    },
    run: async () => {
      const result = await statement.run();
      add(result, text);
      return result;
    },
  });
  return {
    prepare: (text) => counted(db.prepare(text), text),
    batch: async (statements) => {
      const sinceMs = Date.now();
      const results = await db.batch(statements.map(({ statement }) => statement));
      counts.d1Ms += Date.now() - sinceMs;
      counts.d1Batches += 1;
      results.forEach((result, i) => {
        add(result, statements[i].text);
      });
      return results;
    },
  };
}
