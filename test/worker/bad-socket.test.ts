// The two sockets under bad input: every message is answered once, by a documented code, or ignored where nothing is
// expected; what is refused changes nothing, and whoever shares the socket goes on.
import { beforeEach, describe, expect, it } from "vitest";
import { CREDIT, costing, type Enterprise, newEnterprise, report } from "./api.ts";
import { CODES, count, printTally, stateOf } from "./expect-documented.ts";
import { mutationsOf, NOISE } from "./hostile-input.ts";
import { bearer, type Opened, open } from "./open-socket.ts";

printTally();

const MEGABYTE = 1_048_576;

let e: Enterprise;
let stream: Opened;
beforeEach(async () => {
  e = await newEnterprise();
  await e.debit(costing(3, { run: "known", final: false }));
  stream = await open(`${e.path}/debits/stream`, bearer(e.key));
});

type Reply = { id: unknown; status?: number; code?: string; results?: Reply[] };

async function ask(message: string | ArrayBuffer): Promise<Reply> {
  stream.socket?.send(message);
  const reply = (await stream.next()) as Reply;
  count(reply);
  return reply;
}

/** Sends each; what is answered with a code must be a documented one and must have changed nothing. Gives the refused. */
async function hold(messages: Iterable<readonly [what: string, message: string | ArrayBuffer]>): Promise<number> {
  let refused = 0;
  let before = await stateOf(e.id);
  for (const [what, message] of messages) {
    const reply = await ask(message);
    const after = await stateOf(e.id);
    if (reply.code !== undefined) {
      refused += 1;
      expect([what, CODES[reply.code]]).toEqual([what, [reply.status]]);
      expect([what, after]).toEqual([what, before]);
    }
    before = after;
  }
  return refused;
}

describe("a message of the debit socket", () => {
  it("with anything wrong in it is refused, under its id, and changes nothing", async () => {
    const mutations = [...mutationsOf(costing(1, { group: "g1", final: false }))].map(
      ([what, raw]) => [what, raw.startsWith("{}") ? '{"id":1}' : `{"id":1,${raw.slice(1)}`] as const,
    );
    expect(await hold(mutations)).toBeGreaterThan(mutations.length / 2);
    const batch = [...mutationsOf({ reports: [{ run: "b" }] })].map(
      ([what, raw]) => [what, raw === "{}" ? '{"id":1}' : `{"id":1,${raw.slice(1)}`] as const,
    );
    await hold(batch);
  });

  it("that is noise is answered without an id", async () => {
    for (const noise of NOISE) {
      const reply = await ask(noise);
      expect([noise.slice(0, 40), reply.id, reply.status]).toEqual([noise.slice(0, 40), null, expect.any(Number)]);
      expect(CODES[reply.code as string]).toEqual([reply.status]);
    }
  });

  it("whose id is none is refused, and an id that is one is echoed as it was", async () => {
    const good = JSON.stringify(costing(1)).slice(1);
    const before = await stateOf(e.id);
    for (const id of ["null", "true", "[]", "{}", "[1]", '{"toString":1}', "1e400", "-1e999", `1${"0".repeat(400)}`]) {
      expect(await ask(`{"id":${id},${good}`)).toMatchObject({ id: null, status: 422, code: "validation_failed" });
    }
    expect(await ask(`{${good}`)).toMatchObject({ id: null, status: 422, code: "validation_failed" });
    expect(await stateOf(e.id)).toBe(before);
    for (const id of [0, -1, 0.5, 2 ** 60, "", "__proto__", "\ud800", "x".repeat(1_000), "\u202e\u0000"]) {
      expect((await ask(`{"id":${JSON.stringify(id)},${good}`)).id).toEqual(id);
    }
    // Of two ids the last counts, as everywhere in JSON.
    expect((await ask(`{"id":1,"id":2,${good}`)).id).toBe(2);
  });

  it("in bytes is not read", async () => {
    for (const bytes of [
      [],
      [0],
      [0xff, 0xfe],
      [...new TextEncoder().encode(JSON.stringify({ id: 1, ...report() }))],
    ]) {
      const reply = await ask(new Uint8Array(bytes).buffer);
      expect(reply).toMatchObject({ id: null, status: 400, code: "malformed_json" });
    }
  });

  it("of a megabyte is read, of a byte more is too large, whatever its letters weigh", async () => {
    const padded = (bytes: number) => JSON.stringify({ id: 1, ...costing(1) }).padEnd(bytes, " ");
    expect(await ask(padded(MEGABYTE))).toMatchObject({ id: 1, charged_micros: CREDIT });
    expect(await ask(padded(MEGABYTE + 1))).toMatchObject({ id: null, status: 413, code: "body_too_large" });
    const heavy = JSON.stringify({ id: "\u20ac".repeat(MEGABYTE / 2), ...costing(1) });
    expect(await ask(heavy)).toMatchObject({ id: null, status: 413, code: "body_too_large" });
    expect((await e.gauge()).used_micros).toBe(4 * CREDIT);
  });

  it("does not hold up those that are sent along with it", async () => {
    const good = (n: number) => JSON.stringify({ id: n, ...costing(1, { run: `run-${n}` }) });
    const bad = ["{", '{"id":7}', "[".repeat(100_000), new Uint8Array([1]).buffer, "x".repeat(MEGABYTE + 1)];
    for (let n = 0; n < 50; n++) {
      stream.socket?.send(good(n));
      stream.socket?.send(bad[n % bad.length] as string);
    }
    const replies: Reply[] = [];
    while (replies.length < 100) replies.push((await stream.next()) as Reply);
    expect(replies.filter(({ code }) => code === undefined).map(({ id }) => id)).toEqual([...Array(50).keys()]);
    expect((await e.gauge()).used_micros).toBe(53 * CREDIT);
  });
});

describe("a message to the live socket", () => {
  it("is not read, whatever it is, and the gauge goes on", async () => {
    const live = await open(`${e.path}/live`, bearer(e.key));
    await live.next();
    const before = await stateOf(e.id);
    const report_ = JSON.stringify({ id: 1, ...costing(1, { run: "by-a-reader" }) });
    for (const message of [...NOISE, report_, "x".repeat(MEGABYTE + 1), new Uint8Array([0, 255]).buffer]) {
      live.socket?.send(message);
    }
    live.socket?.send("ping");
    expect(await live.next()).toBe("pong");
    expect(await stateOf(e.id)).toBe(before);
    await e.debit(costing(1, { run: "another" }));
    expect(await live.next()).toMatchObject({ used_micros: 4 * CREDIT });
  });
});
