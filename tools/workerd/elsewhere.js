// @ts-nocheck: runs in workerd, as a module of worker.js.
// Lets two workerd processes share the work as on Cloudflare, where pages are rendered and D1 runs on other machines than
// the objects. One process has the objects (variable COPY_ELSEWHERE=1), and sends what is for D1 to the other one. That
// one has D1 and renders pages (variable OBJECTS_AT), and sends the calls of objects to the first one.
import { keepUndefined, restoreUndefined } from "./undefined-fields.js";

/** Where D1 is. Set by a call, because the two processes need each other's address. */
let copyAt = null;

/** How often each method of an enterprise's object was called from here. */
let objectCalls = {};

export function setCopyAt(url) {
  copyAt = url;
}

export function takeObjectCalls() {
  const taken = objectCalls;
  objectCalls = {};
  return taken;
}

/** The bindings of this process. */
export function bindingsOf(env) {
  if (env.COPY_ELSEWHERE === "1") return { ...env, DB: remoteDb() };
  if (env.OBJECTS_AT === undefined) return env;
  return { ...env, ENTERPRISE: remoteObjects(env, "ENTERPRISE"), CATALOG: remoteObjects(env, "CATALOG") };
}

function remoteObjects(env, binding) {
  const stubOf = (object) =>
    new Proxy(
      {},
      {
        // A stub that an async function returns must not look like a promise.
        get: (_, method) =>
          method === "then"
            ? undefined
            : async (...args) => {
                if (binding === "ENTERPRISE") objectCalls[method] = (objectCalls[method] ?? 0) + 1;
                const body = JSON.stringify({ binding, object, method, args }, keepUndefined);
                return post(`${env.OBJECTS_AT}/bench/call`, body);
              },
      },
    );
  return { getByName: stubOf };
}

function remoteDb() {
  const send = (statements) => post(`${copyAt}/bench/d1`, JSON.stringify(statements));
  const prepared = (text, params) => {
    const statement = { text, params };
    const all = async () => (await send([statement]))[0];
    return {
      ...statement,
      bind: (...values) => prepared(text, values),
      all,
      run: all,
      raw: async () => (await all()).results.map((row) => Object.values(row)),
      first: async (column) => {
        const [row] = (await all()).results;
        return (column === undefined ? row : row?.[column]) ?? null;
      },
    };
  };
  return {
    prepare: (text) => prepared(text, []),
    batch: (statements) => send(statements.map(({ text, params }) => ({ text, params }))),
  };
}

/** Runs statements of the other process. */
export async function runStatements(db, statements) {
  return db.batch(statements.map(({ text, params }) => db.prepare(text).bind(...params)));
}

async function post(url, body) {
  const response = await fetch(url, { method: "POST", body });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return restoreUndefined(await response.json());
}
