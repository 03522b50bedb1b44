// HTTP: body sizes and types, methods, ids in paths, headers, and internal errors.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import fc from "fast-check";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";
import { describe, expect, it, vi } from "vitest";
import { RememberingRouter } from "../../src/api/router.ts";
import { app } from "../../src/app.tsx";
import {
  CREDIT,
  costing,
  expectProblem,
  freshId,
  invalidPaths,
  newEnterprise,
  objectOf,
  operator,
  report,
  senderWith,
  start,
} from "./api.ts";

const MEGABYTE = 1_048_576;
const anonymous = senderWith(null);

describe("a body", () => {
  const padded = (bytes: number) => JSON.stringify(costing(1)).padEnd(bytes, " ");
  const streamOf = (text: string) => new Blob([text]).stream();

  it("may have 1,048,576 bytes; one more is 413, with or without Content-Length", async () => {
    const { agent, path, gauge } = await newEnterprise();
    for (const send of [(text: string) => text, streamOf]) {
      expect((await agent("POST", `${path}/debits`, send(padded(MEGABYTE)))).status).toBe(200);
      expectProblem(await agent("POST", `${path}/debits`, send(padded(MEGABYTE + 1))), 413, "body_too_large");
      expectProblem(await agent("POST", `${path}/runs`, send(padded(MEGABYTE + 1))), 413, "body_too_large");
    }
    expect((await gauge()).used_micros).toBe(CREDIT);
  });

  it("must be JSON by its media type, else 415", async () => {
    const { agent, path } = await newEnterprise();
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"]) {
      const init = { headers: { "Content-Type": type } };
      expectProblem(await agent("POST", `${path}/debits`, costing(1), init), 415, "unsupported_media_type");
      expectProblem(await agent("POST", `${path}/runs`, start(), init), 415, "unsupported_media_type");
      expectProblem(await operator("PUT", path, { name: "X" }, init), 415, "unsupported_media_type");
    }
    for (const type of ["application/json; charset=utf-8", "Application/JSON", "application/problem+json"]) {
      const init = { headers: { "Content-Type": type } };
      expect((await agent("POST", `${path}/debits`, costing(1), init)).status).toBe(200);
      expect((await agent("POST", `${path}/runs`, start(), init)).status).toBe(200);
    }
  });

  it("that is not JSON is 400, and invalid JSON content is 422", async () => {
    const { agent, path, gauge } = await newEnterprise();
    const before = await gauge();
    const nan = JSON.stringify(costing(1)).replace('"final"', '"x"').replace("1000", "NaN");
    for (const text of ["", " ", "{", "NaN", "undefined", nan, '{"run":}', "{'run':1}", '{"a":1}x', "\u0000"]) {
      expectProblem(await agent("POST", `${path}/debits`, text), 400, "malformed_json");
      expectProblem(await agent("POST", `${path}/runs`, text), 400, "malformed_json");
    }
    for (const text of ['"NaN"', "null", "[]", "7", "true", "{}"]) {
      expectProblem(await agent("POST", `${path}/debits`, text), 422, "validation_failed");
      expectProblem(await agent("POST", `${path}/runs`, text), 422, "validation_failed");
    }
    const named = await agent("POST", `${path}/debits`, report({ usage: { input_tokens: "NaN", output_tokens: -1 } }));
    expect(invalidPaths(named)).toEqual(["usage.input_tokens", "usage.output_tokens"]);
    expect(await gauge()).toEqual(before);
  });

  it("that breaks off is 400, with or without Content-Length, and is not logged as an error", async () => {
    const { agent, path, gauge } = await newEnterprise();
    const logged = vi.spyOn(console, "error");
    const broken = () => {
      let started = false;
      return new ReadableStream({
        pull: (controller) => {
          if (started) controller.error(new Error("Network connection lost."));
          else controller.enqueue(new TextEncoder().encode('{"run":'));
          started = true;
        },
      });
    };
    for (const headers of [{}, { "Content-Length": "400" }]) {
      for (const rest of ["debits", "runs"]) {
        expectProblem(await agent("POST", `${path}/${rest}`, broken(), { headers }), 400, "malformed_json");
      }
    }
    expect(logged).not.toHaveBeenCalled();
    expect((await gauge()).used_micros).toBe(0);
  });

  it("may be omitted by POST routes without parameters, and is refused there if it has fields", async () => {
    const { path, grant } = await newEnterprise();
    await grant({ id: "g" });
    for (const rest of ["grants/g/void", "rebuild"]) {
      expect((await operator("POST", `${path}/${rest}`)).status).toBe(200);
      expect((await operator("POST", `${path}/${rest}`, {})).status).toBe(200);
    }
    for (const rest of ["grants/g/void", "rebuild", "webhooks/test"]) {
      expectProblem(await operator("POST", `${path}/${rest}`, "{"), 400, "malformed_json");
      expect(invalidPaths(await operator("POST", `${path}/${rest}`, { note: "x" }))).toEqual(["note"]);
    }
    const declared = { headers: { "Content-Type": "application/json" } };
    expect((await operator("POST", `${path}/rebuild`, undefined, declared)).status).toBe(200);
    expect(invalidPaths(await operator("POST", `${path}/grants`))).toEqual(["amount_micros", "id", "source"]);
  });

  it("with a directory is answered 200, even if it is empty", async () => {
    const { path } = await newEnterprise();
    expect((await operator("PUT", `${path}/directory`, { users: [{ id: "u1", name: "Ada" }] })).status).toBe(200);
    expect((await operator("PUT", `${path}/directory`, {})).status).toBe(200);
  });
});

describe("an id", () => {
  const ODD = "A1_.:@/-/x";

  it("may contain a slash, which is percent-encoded in paths", async () => {
    const e = await newEnterprise({}, `acme/${freshId()}`);
    expect((await e.gauge()).enterprise).toBe(e.id);
    expect((await e.start(start({ run: ODD, workspace: ODD, user: ODD, group: ODD, hold_micros: 1 }))).status).toBe(
      201,
    );
    await e.debit(costing(1, { run: ODD, workspace: ODD, user: ODD }));
    expect(await e.receipt(ODD)).toMatchObject({ run: ODD, workspace: ODD, user: ODD, group: ODD });
    expect((await e.agent("DELETE", `${e.path}/runs/${encodeURIComponent(ODD)}/hold`)).status).toBe(200);
    await e.grant({ id: ODD });
    expect((await operator("POST", `${e.path}/grants/${encodeURIComponent(ODD)}/void`)).body.id).toBe(ODD);
    expectProblem(await e.agent("GET", `${e.path}/runs/${ODD}`), 404, "not_found");
  });

  it("has 1 to 128 characters of its alphabet and is neither . nor ..", async () => {
    const e = await newEnterprise();
    const long = "x".repeat(128);
    expect((await e.debit(costing(1, { run: long, workspace: long, user: long, group: long }))).status).toBe(200);
    for (const bad of ["", `${long}x`, "a b", "a\n", "ä", "a%2Fb", "a+b", "*", ".", "..", "\u202e", "😀"]) {
      for (const field of ["run", "model", "workspace", "user", "group"]) {
        expect(invalidPaths(await e.debit(costing(1, { [field]: bad })))).toEqual([field]);
      }
    }
    expect((await e.debit(costing(1, { run: "...", workspace: ".a", user: "-" }))).status).toBe(200);
  });

  it("that is invalid creates no enterprise", async () => {
    const settings = { name: "Acme", billing_model: "credits", plan: "pro" };
    for (const bad of ["a b", "x".repeat(129), "ä", "a+b", "a\\b", "%"]) {
      const answer = await operator("PUT", `/v1/enterprises/${encodeURIComponent(bad)}`, settings);
      expect(invalidPaths(answer)).toEqual(["e"]);
    }
    // URLs resolve such segments, so another path is requested.
    for (const dots of [".", "..", "%2e", "%2E%2e"]) {
      expect((await operator("PUT", `/v1/enterprises/${dots}`, settings)).status).toBeGreaterThanOrEqual(404);
    }
  });
});

describe("a URL", () => {
  it("without a route is 404, and a wrong method is 405 with the allowed ones", async () => {
    const { path } = await newEnterprise();
    for (const nowhere of ["/v1", "/v1/", "/v2/enterprises", `${path}/`, `${path}/nothing`, "/v1/enterprises/"]) {
      expectProblem(await operator("GET", nowhere), 404, "not_found");
    }
    for (const [method, where, allow] of [
      ["PATCH", path, "DELETE, GET, PUT"],
      ["POST", path, "DELETE, GET, PUT"],
      ["GET", `${path}/debits`, "POST"],
      ["PUT", `${path}/runs`, "GET, POST"],
      ["DELETE", `${path}/runs/run-1`, "GET"],
      ["POST", "/v1/price-book", "GET, PATCH, PUT"],
      ["PUT", "/v1/referrals", "POST"],
      ["POST", "/healthz", "GET"],
      ["POST", "/openapi.json", "GET"],
    ] as const) {
      const answer = await operator(method, where);
      expectProblem(answer, 405, "method_not_allowed");
      expect(answer.headers.get("Allow")).toBe(allow);
    }
  });

  it("/healthz answers without a key", async () => {
    const { status, headers } = await anonymous("GET", "/healthz");
    expect(status).toBe(200);
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
  });

  it("answers HEAD as GET, without the body", async () => {
    const { agent, path } = await newEnterprise();
    expect(await agent("HEAD", `${path}/gauge`)).toMatchObject({ status: 200, text: "" });
    expect(await anonymous("HEAD", `${path}/gauge`)).toMatchObject({ status: 401, text: "" });
  });
});

describe("a response", () => {
  const SECURITY = /^(content-security|cross-origin|origin-agent|permissions|referrer|strict-transport|x-)/;

  it("has the same security headers, whatever made it", async () => {
    const { agent, path } = await newEnterprise();
    const responses = [
      await anonymous("GET", "/healthz"),
      await agent("GET", `${path}/gauge`),
      await agent("POST", `${path}/debits`, costing(1)),
      await agent("POST", `${path}/debits`, { reports: [costing(1), {}] }),
      await agent("POST", `${path}/debits`, report({ usage: {} })),
      await agent("POST", `${path}/debits`, "{".padEnd(MEGABYTE + 1)),
      await agent("PUT", `${path}/gauge`),
      await anonymous("GET", `${path}/gauge`),
      await anonymous("GET", "/nowhere"),
    ];
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 422, 413, 405, 401, 404]);
    const [expected, ...others] = responses.map(({ headers }) => [...headers].filter(([name]) => SECURITY.test(name)));
    expect(expected).toHaveLength(13);
    for (const headers of others) expect(headers).toEqual(expected);
  });

  it("comes from the same route, whether its path was seen before or not", () => {
    const remembering = new RememberingRouter<string>();
    const plain = new SmartRouter<string>({ routers: [new RegExpRouter(), new TrieRouter()] });
    app.routes.forEach(({ method, path }, i) => {
      for (const router of [remembering, plain]) router.add(method, path, `${i}`);
    });
    const text = fc.constantFrom("a", "acme", "..", "%2F", "", "gauge", "debits", "x".repeat(200), "ä");
    const known = fc
      .constantFrom(...app.routes)
      .chain(({ path }) => fc.tuple(...path.split("/").map((part) => (/[:*]/.test(part) ? text : fc.constant(part)))));
    const parts = fc.oneof(known, fc.array(text, { maxLength: 6 }));
    const method = fc.constantFrom("GET", "POST", "PUT", "DELETE", "OPTIONS", "ODD");
    fc.assert(
      fc.property(method, parts, (called, names) => {
        const path = `/${names.join("/").replace(/^\/+/, "")}`;
        const expected = plain.match(called, path);
        for (let time = 1; time <= 2; time++) expect(remembering.match(called, path)).toEqual(expected);
      }),
      { numRuns: 3_000 },
    );
  });
});

// This must come last: it breaks an enterprise that the list would show.
describe("an internal error", () => {
  it("is answered as internal, without details", async () => {
    const e = await newEnterprise();
    await runInDurableObject(objectOf(e.id), (_, { storage }) =>
      storage.sql.exec("UPDATE enterprise SET settings = 'confidential'"),
    );
    await evictDurableObject(objectOf(e.id));
    const broken = await e.agent("GET", `${e.path}/gauge`);
    expect(Object.keys(expectProblem(broken, 500, "internal")).sort()).toEqual([
      "code",
      "detail",
      "status",
      "title",
      "type",
    ]);
    expect(broken.text).not.toMatch(/confidential|JSON|SQL|\.ts/);
  });
});

it("ignores a query where a route takes none, and refuses an unknown parameter where it takes one", async () => {
  const { agent, path } = await newEnterprise();
  expect((await agent("GET", `${path}/gauge?nocache=1`)).status).toBe(200);
  expect((await anonymous("GET", "/healthz?probe=1")).status).toBe(200);
  const refused = await agent("GET", `${path}/grants?wrokspace=w1`);
  expectProblem(refused, 422, "validation_failed");
  expect(invalidPaths(refused)).toEqual(["wrokspace"]);
});
