// Objects write the whole bodies of debits and gauges as text. During a deployment, a new Worker also calls objects of the
// last release, which ignore that request. The responses must be the same.
import { exports } from "cloudflare:workers";
import { Hono } from "hono";
import { secureHeaders } from "hono/secure-headers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { EnterpriseObject } from "../../src/enterprise/object.ts";
import { type Answer, costing, newEnterprise, operator, report, senderWith } from "./api.ts";

afterEach(() => void vi.restoreAllMocks());

/** Makes objects behave as those of the last release, which know neither argument. */
function useObjectsOfLastRelease(): void {
  const { debit, gauge } = EnterpriseObject.prototype;
  vi.spyOn(EnterpriseObject.prototype, "debit").mockImplementation(function (
    this: EnterpriseObject,
    ...[caller, reports]: Parameters<typeof debit>
  ) {
    return debit.call(this, caller, reports);
  });
  vi.spyOn(EnterpriseObject.prototype, "gauge").mockImplementation(function (
    this: EnterpriseObject,
    ...[caller]: Parameters<typeof gauge>
  ) {
    return gauge.call(this, caller);
  });
}

const seen = ({ status, body, headers }: Answer) => ({ status, body, headers: Object.fromEntries(headers) });

/** The responses to the same calls on a new enterprise. */
async function callAll(): Promise<unknown[]> {
  const { path, agent, id } = await newEnterprise({ test_clock: "2026-03-10T12:00:00.000Z" });
  const at = { started_at: "2026-03-10T11:59:00.000Z" };
  const calls: [string, string, unknown?][] = [
    ["POST", "debits", costing(1, { run: "a", ...at })],
    ["POST", "debits", costing(1, { run: "a", ...at })],
    ["POST", "debits", costing(2, { run: "a", ...at, user: "someone-else" })],
    ["POST", "debits", { reports: [costing(2, { run: "b", ...at }), costing(3, { run: "c", ...at })] }],
    // One report is refused by the ledger, one by the Worker.
    ["POST", "debits", { reports: [costing(3, { run: "c", ...at }), costing(3, { run: "a", ...at, user: "other" })] }],
    ["POST", "debits", { reports: [costing(4, { run: "d", ...at }), { run: "e" }] }],
    ["POST", "debits", report({ run: "a", started_at: "2020-01-01T00:00:00.000Z", model: "another" })],
    ["GET", "gauge"],
  ];
  const answers: unknown[] = [];
  for (const [method, rest, body] of calls) answers.push(seen(await agent(method, `${path}/${rest}`, body)));
  return JSON.parse(JSON.stringify(answers).replaceAll(id, "acme"));
}

describe("debits and gauges", () => {
  it("are answered alike by an object of this release and by one of the last release", async () => {
    const now = await callAll();
    useObjectsOfLastRelease();
    expect(await callAll()).toEqual(now);
    expect(EnterpriseObject.prototype.debit).toHaveBeenCalledTimes(7);
    expect(EnterpriseObject.prototype.gauge).toHaveBeenCalledTimes(1);
    expect((now as { status: number }[]).map(({ status }) => status)).toEqual([200, 200, 409, 200, 200, 200, 410, 200]);
  });

  it("of a revoked key are refused alike", async () => {
    for (const prepare of [() => {}, useObjectsOfLastRelease]) {
      prepare();
      const { path, createKey } = await newEnterprise();
      const { id, send } = await createKey(["debit", "read"]);
      await operator("DELETE", `${path}/keys/${id}`);
      const answers = [await send("POST", `${path}/debits`, costing(1)), await send("GET", `${path}/gauge`)];
      expect(answers.map(({ body }) => body.code)).toEqual(["key_revoked", "key_revoked"]);
    }
  });
});

it("gives every response the headers of Hono's middleware for secure headers", async () => {
  const reference = new Hono().use(
    secureHeaders({
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
      xFrameOptions: "DENY",
      referrerPolicy: "same-origin",
      permissionsPolicy: { camera: [], geolocation: [], microphone: [], payment: [] },
    }),
  );
  reference.get("/", (c) => c.body(null));
  const expected = Object.fromEntries((await reference.request("/")).headers);
  expect(Object.keys(expected)).toHaveLength(13);

  const { path, agent } = await newEnterprise();
  const answers = [
    await agent("POST", `${path}/debits`, costing(1)),
    await agent("POST", `${path}/debits`, { reports: [costing(1)] }),
    await agent("GET", `${path}/gauge`),
    await senderWith("wrong")("GET", `${path}/gauge`),
    await senderWith(null)("GET", "/healthz"),
    await agent("POST", `${path}/debits`, "{"),
    await senderWith(null)("GET", "/nowhere"),
  ];
  const page = await exports.default.fetch("https://fuelgauge.test/", { headers: { Accept: "text/html" } });
  for (const { headers } of [...answers, page]) expect(Object.fromEntries(headers)).toMatchObject(expected);
});
