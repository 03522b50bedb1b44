// Sends bad messages through both sockets. The debit socket answers each once, with a documented code; the live socket
// ignores them. A refused message changes nothing and does not affect the other messages on the socket.
import { beforeEach, describe, expect, it } from "vitest";
import { CREDIT, costing, type Enterprise, newEnterprise, report } from "./api.ts";
import { countAnswer, printSummary, readState, STATUSES_BY_CODE } from "./expect-documented.ts";
import { MALFORMED_BODIES, mutationsOf } from "./hostile-input.ts";
import { bearer, type OpenedSocket, openSocket } from "./open-socket.ts";

printSummary();

const MEGABYTE = 1_048_576;

let e: Enterprise;
let stream: OpenedSocket;
beforeEach(async () => {
  e = await newEnterprise();
  await e.debit(costing(3, { run: "known", final: false }));
  stream = await openSocket(`${e.path}/debits/stream`, bearer(e.key));
});

type Reply = { id: unknown; status?: number; code?: string; results?: Reply[] };

async function ask(message: string | ArrayBuffer): Promise<Reply> {
  stream.socket?.send(message);
  const reply = (await stream.next()) as Reply;
  countAnswer(reply);
  return reply;
}

/** Sends each message. A refusal must have a documented code and change nothing. Returns how many were refused. */
async function sendAndCheck(
  messages: Iterable<readonly [what: string, message: string | ArrayBuffer]>,
): Promise<number> {
  let refused = 0;
  let before = await readState(e.id);
  for (const [what, message] of messages) {
    const reply = await ask(message);
    const after = await readState(e.id);
    if (reply.code !== undefined) {
      refused += 1;
      // The price routes answer one of these codes with another status.
      expect(STATUSES_BY_CODE[reply.code], what).toContain(reply.status);
      expect([what, after]).toEqual([what, before]);
    }
    before = after;
  }
  return refused;
}

describe("a message to the debit socket", () => {
  it("that is invalid in one place is refused under its id and changes nothing", async () => {
    const mutations = [...mutationsOf(costing(1, { group: "g1", final: false }))].map(
      ([what, raw]) => [what, raw.startsWith("{}") ? '{"id":1}' : `{"id":1,${raw.slice(1)}`] as const,
    );
    expect(await sendAndCheck(mutations)).toBeGreaterThan(mutations.length / 2);
    const batch = [...mutationsOf({ reports: [{ run: "b" }] })].map(
      ([what, raw]) => [what, raw === "{}" ? '{"id":1}' : `{"id":1,${raw.slice(1)}`] as const,
    );
    await sendAndCheck(batch);
  });

  it("that is malformed is answered with a null id", async () => {
    for (const message of MALFORMED_BODIES) {
      const reply = await ask(message);
      const what = message.slice(0, 40);
      expect([what, reply.id, reply.status]).toEqual([what, null, expect.any(Number)]);
      expect(STATUSES_BY_CODE[reply.code as string]).toEqual([reply.status]);
    }
  });

  it("without a valid id is refused, and a valid id is echoed unchanged", async () => {
    const fields = JSON.stringify(costing(1)).slice(1);
    const before = await readState(e.id);
    for (const id of ["null", "true", "[]", "{}", "[1]", '{"toString":1}', "1e400", "-1e999", `1${"0".repeat(400)}`]) {
      expect(await ask(`{"id":${id},${fields}`)).toMatchObject({ id: null, status: 422, code: "validation_failed" });
    }
    expect(await ask(`{${fields}`)).toMatchObject({ id: null, status: 422, code: "validation_failed" });
    expect(await readState(e.id)).toBe(before);
    for (const id of [0, -1, 0.5, 2 ** 60, "", "__proto__", "\ud800", "x".repeat(1_000), "\u202e\u0000"]) {
      expect((await ask(`{"id":${JSON.stringify(id)},${fields}`)).id).toEqual(id);
    }
    // Of two ids the last one counts, as for any duplicate key in JSON.
    expect((await ask(`{"id":1,"id":2,${fields}`)).id).toBe(2);
  });

  it("in binary is refused", async () => {
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

  it("may have 1 MB, counted in bytes and not in characters", async () => {
    const padded = (bytes: number) => JSON.stringify({ id: 1, ...costing(1) }).padEnd(bytes, " ");
    expect(await ask(padded(MEGABYTE))).toMatchObject({ id: 1, charged_micros: CREDIT });
    expect(await ask(padded(MEGABYTE + 1))).toMatchObject({ id: null, status: 413, code: "body_too_large" });
    const multibyte = JSON.stringify({ id: "\u20ac".repeat(MEGABYTE / 2), ...costing(1) });
    expect(await ask(multibyte)).toMatchObject({ id: null, status: 413, code: "body_too_large" });
    expect((await e.gauge()).used_micros).toBe(4 * CREDIT);
  });

  it("that is refused does not affect the messages sent with it", async () => {
    const valid = (n: number) => JSON.stringify({ id: n, ...costing(1, { run: `run-${n}` }) });
    const invalid = ["{", '{"id":7}', "[".repeat(100_000), new Uint8Array([1]).buffer, "x".repeat(MEGABYTE + 1)];
    for (let n = 0; n < 50; n++) {
      stream.socket?.send(valid(n));
      stream.socket?.send(invalid[n % invalid.length] as string);
    }
    const replies: Reply[] = [];
    while (replies.length < 100) replies.push((await stream.next()) as Reply);
    expect(replies.filter(({ code }) => code === undefined).map(({ id }) => id)).toEqual([...Array(50).keys()]);
    expect((await e.gauge()).used_micros).toBe(53 * CREDIT);
  });
});

describe("a message to the live socket", () => {
  it("closes it with 1008 unless it is ping, and changes nothing", async () => {
    const before = await readState(e.id);
    const debit = JSON.stringify({ id: 1, ...costing(1, { run: "by-a-reader" }) });
    for (const message of [...MALFORMED_BODIES, debit, new Uint8Array([0, 255]).buffer]) {
      const live = await openSocket(`${e.path}/live`, bearer(e.key));
      await live.next();
      live.socket?.send("ping");
      expect(await live.next()).toBe("pong");
      live.socket?.send(message);
      expect(await live.closed).toBe(1008);
    }
    expect(await readState(e.id)).toBe(before);
  });

  it("leaves the sockets of other watchers open", async () => {
    const [one, other] = [
      await openSocket(`${e.path}/live`, bearer(e.key)),
      await openSocket(`${e.path}/live`, bearer(e.key)),
    ];
    await Promise.all([one.next(), other.next()]);
    one.socket?.send("hello");
    expect(await one.closed).toBe(1008);
    const { body } = await e.debit(costing(1, { run: "another" }));
    expect(await other.next()).toMatchObject({ seq: body.seq });
  });
});
