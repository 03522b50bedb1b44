// Requests as no library sends them, byte by byte to workerd itself: lengths that lie, bodies without end, headers of
// any size, methods and paths that are none. Nothing is a fault of the server, and nothing that is refused changes state.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildWorker, Runtime } from "../../tools/bench/runtime.ts";
import { sendRaw } from "./raw-http.ts";

const PATH = "/v1/enterprises/acme";
const DEBIT = JSON.stringify({ run: "r", model: "gpt-5", usage: { input_tokens: 1_000_000, output_tokens: 0 } });
const MEGABYTE = 1_048_576;

const directory = mkdtempSync(join(tmpdir(), "fuelgauge-wire-"));
let runtime: Runtime;
beforeAll(async () => {
  runtime = new Runtime(buildWorker(join(directory, "bundle")), join(directory, "state"));
  await runtime.start();
  await runtime.migrate();
  await runtime.provision("acme");
  const run = { run: "r", surface: "web", workspace: "w", user: "u" };
  await runtime.call("POST", `${PATH}/runs`, run);
}, 120_000);
afterAll(async () => {
  await runtime.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

const seq = async () => ((await runtime.call("GET", `${PATH}/gauge`)) as { seq: number }).seq;

/** A request with the operator's key; `Connection: close`, so that the answer's end is seen. */
function request(line: string, headers: readonly string[] = [], body = ""): string {
  const common = [
    `Host: localhost:${runtime.port}`,
    `Authorization: Bearer ${runtime.operatorKey}`,
    "Connection: close",
  ];
  return `${[`${line} HTTP/1.1`, ...common, ...headers].join("\r\n")}\r\n\r\n${body}`;
}

const posting = (headers: readonly string[], body: string) =>
  request(`POST ${PATH}/debits`, ["Content-Type: application/json", ...headers], body);

describe("a body", () => {
  it.each<[string, string[], string, boolean, number[]]>([
    ["shorter than it says", ["Content-Length: 5000"], DEBIT, true, [400]],
    ["longer than it says, which ends within it", [`Content-Length: ${DEBIT.length - 1}`], DEBIT, false, [400]],
    ["of far more than is taken, that never comes", ["Content-Length: 99999999999"], DEBIT, false, [413]],
    ["of a length that is none", ["Content-Length: -1"], DEBIT, false, [400]],
    ["of a length that is no number", ["Content-Length: abc"], DEBIT, false, [400]],
    ["of two lengths", ["Content-Length: 2", `Content-Length: ${DEBIT.length}`], DEBIT, false, [400]],
    ["in chunks that are none", ["Transfer-Encoding: chunked"], `zz\r\n${DEBIT}\r\n0\r\n\r\n`, false, [400]],
    [
      "in chunks that break off",
      ["Transfer-Encoding: chunked"],
      `${DEBIT.length.toString(16)}\r\n${DEBIT}\r\n`,
      true,
      [400],
    ],
    ["in a chunk that breaks off", ["Transfer-Encoding: chunked"], `ffff\r\n${DEBIT}`, true, [400]],
    ["of nothing, announced", ["Content-Length: 0"], "", false, [400]],
    ["packed as it is not", [`Content-Length: 2`, "Content-Encoding: gzip"], "{}", false, [400, 415, 422]],
  ])("%s is refused and changes nothing", async (_, headers, body, halfClose, statuses) => {
    const before = await seq();
    const answer = await sendRaw(runtime.port, posting(headers, body), { halfClose });
    expect(statuses).toContain(answer.statuses[0]);
    expect(await seq()).toBe(before);
  });

  it("in chunks without end is refused after a megabyte", async () => {
    const chunk = `8000\r\n${" ".repeat(0x8000)}\r\n`;
    const without = function* () {
      yield posting(["Transfer-Encoding: chunked"], "");
      for (let sent = 0; sent < 4 * MEGABYTE; sent += 0x8000) yield chunk;
    };
    const before = await seq();
    const { statuses, body } = await sendRaw(runtime.port, without(), { waitMs: 10_000 });
    expect(statuses).toEqual([413]);
    expect(body).toContain("body_too_large");
    expect(await seq()).toBe(before);
  });

  it("that two headers measure in two ways is read in one, and smuggles no second request", async () => {
    const smuggled = request(`DELETE ${PATH}/runs/r/hold`);
    const chunked = `${DEBIT.length.toString(16)}\r\n${DEBIT}\r\n0\r\n\r\n`;
    const both = posting([`Content-Length: ${DEBIT.length}`, "Transfer-Encoding: chunked"], chunked + smuggled);
    const { statuses } = await sendRaw(runtime.port, both);
    expect(statuses.length).toBe(1);
    expect([200, 400]).toContain(statuses[0]);
  });
});

describe("a request line", () => {
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
    ["GET http://evil.example/v1/enterprises/none", [404]],
    ["GET /v1/enterprises/a b", [400]],
    [`GET /v1/enterprises/${"a".repeat(20_000)}`, [414, 422]],
    [`GET /v1/enterprises/acme/runs?${"limit=1&".repeat(2_000)}`, [414, 422]],
    ["GET /settings/usage/runs/%ff", [303]],
    ["GET /%", [404]],
    ["GET /embed/%2e%2e/%2e%2e/etc/passwd", [404]],
  ];
  it.each(LINES.map(([line, statuses]) => [line.slice(0, 60), line, statuses] as const))(
    "of %s is answered as what it is",
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
    "that is none (%j) harms nobody",
    async (line) => {
      const { statuses } = await sendRaw(runtime.port, `${line}\r\n\r\n`, { waitMs: 300 });
      expect(statuses.filter((status) => status >= 500)).toEqual([]);
      expect(await runtime.call("GET", "/healthz")).toEqual({ ok: true });
    },
  );
});

describe("headers", () => {
  it("of 64 KB are read, or refused as too large", async () => {
    const huge = "a".repeat(65_536);
    const { port } = runtime;
    expect((await sendRaw(port, request("GET /healthz", [`X-Big: ${huge}`]))).statuses[0]).toBeOneOf([200, 431]);
    const key = `GET ${PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${huge}\r\nConnection: close\r\n\r\n`;
    expect((await sendRaw(port, key)).statuses[0]).toBeOneOf([401, 431]);
    const cookie = `GET ${PATH}/gauge HTTP/1.1\r\nHost: x\r\nCookie: fuelgauge=${huge}\r\nConnection: close\r\n\r\n`;
    expect((await sendRaw(port, cookie)).statuses[0]).toBeOneOf([401, 431]);
    const many = Array.from({ length: 1_000 }, (_, i) => `X-${i}: ${i}`);
    expect((await sendRaw(port, request("GET /healthz", many))).statuses[0]).toBeOneOf([200, 431]);
  });

  it("of bytes that are no text are no key, no session and no origin", async () => {
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

  it("of a socket that are not all there open none", async () => {
    const upgrade = ["Upgrade: websocket", "Sec-WebSocket-Version: 99", "Sec-WebSocket-Key: x"];
    const { statuses } = await sendRaw(runtime.port, request(`GET ${PATH}/debits/stream`, upgrade), { waitMs: 300 });
    expect(statuses.filter((status) => status === 101 || status >= 500)).toEqual([]);
  });
});

it("still works, and its books are right, after all that", async () => {
  const { ok } = (await runtime.call("GET", `${PATH}/audit`)) as { ok: boolean };
  expect(ok).toBe(true);
});
