// Malformed HTTP requests sent byte by byte to workerd: wrong lengths, endless bodies, huge headers, invalid methods and
// paths. No answer may be a server error, and a refused request must change nothing.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { builtWorker } from "../support/built-worker.ts";
import { sendRaw } from "./send-raw.ts";

const PATH = "/v1/enterprises/acme";
const DEBIT = JSON.stringify({ run: "r", model: "gpt-5", usage: { input_tokens: 1_000_000, output_tokens: 0 } });
const MEGABYTE = 1_048_576;

const directory = mkdtempSync(join(tmpdir(), "fuelgauge-wire-"));
let runtime: Runtime;
beforeAll(async () => {
  runtime = new Runtime(await builtWorker(), join(directory, "state"));
  await runtime.start();
  await runtime.migrate();
  await runtime.provision("acme");
  const run = { run: "r", surface: "web", workspace: "w", user: "u" };
  await runtime.call("POST", `${PATH}/runs`, run);
});
afterAll(async () => {
  await runtime.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

const seq = async () => ((await runtime.call("GET", `${PATH}/gauge`)) as { seq: number }).seq;

/** A request with the operator key and `Connection: close`, which marks the end of the answer. */
function request(line: string, headers: readonly string[] = [], body = ""): string {
  const common = [
    `Host: localhost:${runtime.port}`,
    `Authorization: Bearer ${runtime.operatorKey}`,
    "Connection: close",
  ];
  return `${[`${line} HTTP/1.1`, ...common, ...headers].join("\r\n")}\r\n\r\n${body}`;
}

const debitRequest = (headers: readonly string[], body: string) =>
  request(`POST ${PATH}/debits`, ["Content-Type: application/json", ...headers], body);

describe("a body", () => {
  it.each<[string, string[], string, boolean, number[]]>([
    ["shorter than its Content-Length", ["Content-Length: 5000"], DEBIT, true, [400]],
    ["longer than its Content-Length", [`Content-Length: ${DEBIT.length - 1}`], DEBIT, false, [400]],
    ["announced as 99 GB and never sent", ["Content-Length: 99999999999"], DEBIT, false, [413]],
    ["with a negative length", ["Content-Length: -1"], DEBIT, false, [400]],
    ["with a length that is not a number", ["Content-Length: abc"], DEBIT, false, [400]],
    ["with two lengths", ["Content-Length: 2", `Content-Length: ${DEBIT.length}`], DEBIT, false, [400]],
    ["with an invalid chunk size", ["Transfer-Encoding: chunked"], `zz\r\n${DEBIT}\r\n0\r\n\r\n`, false, [400]],
    [
      "without its last chunk",
      ["Transfer-Encoding: chunked"],
      `${DEBIT.length.toString(16)}\r\n${DEBIT}\r\n`,
      true,
      [400],
    ],
    ["that ends within a chunk", ["Transfer-Encoding: chunked"], `ffff\r\n${DEBIT}`, true, [400]],
    ["that is empty", ["Content-Length: 0"], "", false, [400]],
    ["that is not gzip as declared", [`Content-Length: 2`, "Content-Encoding: gzip"], "{}", false, [400, 415, 422]],
  ])("%s is refused and changes nothing", async (_, headers, body, halfClose, statuses) => {
    const before = await seq();
    const answer = await sendRaw(runtime.port, debitRequest(headers, body), { halfClose });
    expect(statuses).toContain(answer.statuses[0]);
    expect(await seq()).toBe(before);
  });

  it("of endless chunks is refused after 1 MB", async () => {
    const chunk = `8000\r\n${" ".repeat(0x8000)}\r\n`;
    const endless = function* () {
      yield debitRequest(["Transfer-Encoding: chunked"], "");
      for (let sent = 0; sent < 4 * MEGABYTE; sent += 0x8000) yield chunk;
    };
    const before = await seq();
    const { statuses, body } = await sendRaw(runtime.port, endless());
    expect(statuses).toEqual([413]);
    expect(body).toContain("body_too_large");
    expect(await seq()).toBe(before);
  });

  it("with both Content-Length and chunks cannot smuggle a second request", async () => {
    const smuggled = request(`DELETE ${PATH}/runs/r/hold`);
    const chunked = `${DEBIT.length.toString(16)}\r\n${DEBIT}\r\n0\r\n\r\n`;
    const both = debitRequest([`Content-Length: ${DEBIT.length}`, "Transfer-Encoding: chunked"], chunked + smuggled);
    const { statuses } = await sendRaw(runtime.port, both);
    expect(statuses.length).toBe(1);
    expect([200, 400]).toContain(statuses[0]);
  });
});

describe("the request line", () => {
  const LINES: [string, number[]][] = [
    ["FOO /healthz", [400, 501]],
    ["get /healthz", [400, 501]],
    ["TRACE /healthz", [405]],
    ["OPTIONS *", [404, 405]],
    ["OPTIONS /v1/enterprises/acme/debits", [405]],
    ["PATCH /v1/enterprises/acme", [405]],
    ["HEAD /v1/enterprises/acme/gauge", [200]],
    ["GET /v1/enterprises/%", [422]],
    ["GET /v1/enterprises/%zz/gauge", [422]],
    ["GET /v1/enterprises/%00/gauge", [422]],
    ["GET /v1/enterprises/%ff/gauge", [422]],
    ["GET /v1/enterprises/..%2f..%2facme/gauge", [404]],
    ["GET /v1/enterprises/%2e%2e/gauge", [404, 422]],
    ["GET /v1/enterprises/../enterprises/none", [404]],
    ["GET /v1/enterprises/acme/../none/gauge", [404]],
    ["GET //evil.example/", [404]],
    ["GET http://evil.example/v1/enterprises/none", [308, 404]],
    ["GET /v1/enterprises/a b", [400]],
    [`GET /v1/enterprises/${"a".repeat(20_000)}`, [414, 422]],
    [`GET /v1/enterprises/acme/runs?${"limit=1&".repeat(2_000)}`, [414, 422]],
    ["GET /settings/usage/runs/%ff", [303]],
    ["GET /%", [404]],
    ["GET /embed/%2e%2e/%2e%2e/etc/passwd", [404]],
  ];
  it.each(LINES.map(([line, statuses]) => [line.slice(0, 60), line, statuses] as const))(
    "%s is answered with an expected status and changes nothing",
    async (_, line, statuses) => {
      const before = await seq();
      const answer = await sendRaw(runtime.port, request(line));
      expect([line.slice(0, 80), statuses.includes(answer.statuses[0] ?? 0), answer.statuses]).toEqual([
        line.slice(0, 80),
        true,
        answer.statuses,
      ]);
      expect(answer.open).toBe(false);
      expect(await seq()).toBe(before);
    },
  );

  it.each(["\u0000\u0001\u0002", "GET", "GET / HTTP/9.9", "GET /healthz HTTP/1.1", "\r\n\r\n\r\n"])(
    "%j, which is invalid, causes no server error",
    async (line) => {
      const { statuses } = await sendRaw(runtime.port, `${line}\r\n\r\n`, { waitMs: 300 });
      expect(statuses.filter((status) => status >= 500)).toEqual([]);
      expect(await runtime.call("GET", "/healthz")).toEqual({ ok: true });
    },
  );
});

describe("headers", () => {
  it("of 64 KB are accepted or refused as too large", async () => {
    const huge = "a".repeat(65_536);
    const { port } = runtime;
    expect((await sendRaw(port, request("GET /healthz", [`X-Big: ${huge}`]))).statuses[0]).toBeOneOf([200, 431]);
    const key = `GET ${PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${huge}\r\nConnection: close\r\n\r\n`;
    expect((await sendRaw(port, key)).statuses[0]).toBeOneOf([401, 431]);
    const cookie = `GET ${PATH}/gauge HTTP/1.1\r\nHost: localhost\r\nCookie: fuelgauge=${huge}\r\nConnection: close\r\n\r\n`;
    expect((await sendRaw(port, cookie)).statuses[0]).toBeOneOf([401, 431]);
    const many = Array.from({ length: 1_000 }, (_, i) => `X-${i}: ${i}`);
    expect((await sendRaw(port, request("GET /healthz", many))).statuses[0]).toBeOneOf([200, 431]);
  });

  it("with bytes that are not text give no access", async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0x80, 0x01]).toString("latin1");
    for (const header of [
      `Authorization: Bearer ${bytes}`,
      `Cookie: fuelgauge=${bytes}; =; a; fuelgauge=%zz`,
      `Origin: ${bytes}`,
    ]) {
      const text = `GET ${PATH}/gauge HTTP/1.1\r\nHost: localhost\r\n${header}\r\nConnection: close\r\n\r\n`;
      expect((await sendRaw(runtime.port, Buffer.from(text, "latin1"))).statuses[0]).toBeOneOf([400, 401]);
    }
  });

  it("of an incomplete WebSocket upgrade open no socket", async () => {
    const upgrade = ["Upgrade: websocket", "Sec-WebSocket-Version: 99", "Sec-WebSocket-Key: x"];
    const { statuses } = await sendRaw(runtime.port, request(`GET ${PATH}/debits/stream`, upgrade), { waitMs: 300 });
    expect(statuses.filter((status) => status === 101 || status >= 500)).toEqual([]);
  });
});

it("leaves correct books after all these requests", async () => {
  const { ok } = (await runtime.call("GET", `${PATH}/audit`)) as { ok: boolean };
  expect(ok).toBe(true);
});

// The close frame alone is not enough: a client that never sent a message kept its connection until the object slept.
it("ends the connections of a deleted enterprise well within ten seconds", async () => {
  await runtime.provision("gone");
  const headers = { Authorization: `Bearer ${runtime.operatorKey}` };
  const url = `ws://localhost:${runtime.port}/v1/enterprises/gone/live`;
  const socket = new WebSocket(url, { headers } as unknown as string[]);
  const closed = new Promise<number>((done) => {
    socket.onclose = ({ code }) => done(code);
  });
  await new Promise((done) => {
    socket.onmessage = done;
  });
  await runtime.call("DELETE", "/v1/enterprises/gone?confirm=gone");
  const deletedAt = performance.now();
  expect(await closed).toBe(4401);
  expect(performance.now() - deletedAt).toBeLessThan(8_000);
});
