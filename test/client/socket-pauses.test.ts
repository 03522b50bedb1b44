// How long a client reports over HTTP after its socket has failed. A deployment closes the sockets of all clients at the
// same moment, so they must return at different times.
import { expect, it } from "vitest";
import { type Clock, reopenAfterMs } from "../../packages/client/src/clock.ts";
import { type Ledger, noAnswer } from "../../packages/client/src/http.ts";
import { type Socket, socketTransport } from "../../packages/client/src/socket.ts";

const REPORT = { run: "run-1", model: "gpt-5", usage: { input_tokens: 1, output_tokens: 1 } };

/** A client's transport whose socket opens as long as `line.works`, with a clock that the test sets. */
function newLine() {
  const line = { works: true, nowMs: 0, opened: 0, overHttp: 0, close: () => {} };
  const clock: Clock = { nowMs: () => line.nowMs, steadyMs: () => line.nowMs, after: () => () => {} };
  const open = async (): Promise<Socket> => {
    if (!line.works) throw new Error("refused");
    line.opened += 1;
    const listeners = new Map<string, (event: never) => void>();
    line.close = () => listeners.get("close")?.({} as never);
    return {
      send: (text) => {
        const { id } = JSON.parse(text) as { id: number };
        const data = JSON.stringify({ id, results: [{ model: "gpt-5", action: "continue" }] });
        queueMicrotask(() => listeners.get("message")?.({ data } as never));
      },
      close: () => {},
      addEventListener: (type, then) => void listeners.set(type, then),
    };
  };
  const http = {
    send: async () => {
      line.overHttp += 1;
      return noAnswer("");
    },
    close: () => {},
  };
  const ledger = { base: "", headers: async () => ({}) } as Ledger;
  const transport = socketTransport(open)({ ledger, clock, random: () => 0.5, timeoutMs: 1_000, http });
  /** Sends a report every second for an hour, until the client has tried the socket. Returns the seconds. */
  async function secondsUntilHttpEnds(): Promise<number> {
    for (let seconds = 1; seconds <= 3_600; seconds++) {
      line.nowMs += 1_000;
      const { opened, overHttp } = line;
      await transport.send([REPORT]);
      if (line.opened > opened) return seconds;
      if (line.overHttp === overHttp) throw new Error("the report was lost");
    }
    throw new Error("the client never tried the socket again");
  }
  return { line, transport, secondsUntilHttpEnds };
}

it("waits twice as long for the socket after each failure in a row, up to five minutes", async () => {
  // The random number of this test is 0.5, so each pause is half of its window.
  const windows = [1, 2, 3, 4, 5, 6, 1_000].map((failures) => reopenAfterMs(failures, () => 0.5) / 1_000);
  expect(windows).toEqual([15, 30, 60, 120, 150, 150, 150]);
});

it("starts again with the shortest pause once the socket has worked", async () => {
  const { line, transport, secondsUntilHttpEnds } = newLine();
  line.works = false;
  for (let seconds = 0; seconds < 600; seconds++) {
    line.nowMs += 1_000;
    await transport.send([REPORT]);
  }
  line.works = true;
  expect(await secondsUntilHttpEnds()).toBeGreaterThan(30);
  expect(line.opened).toBe(1);
  line.close();
  expect(await secondsUntilHttpEnds()).toBe(15);
  transport.close();
});

it("spreads the return of sockets that broke at the same moment over half a minute", () => {
  const pauses = Array.from({ length: 3_000 }, (_, client) => reopenAfterMs(1, () => client / 3_000));
  const perSecond = Array.from({ length: 30 }, (_, second) => pauses.filter((ms) => Math.floor(ms / 1_000) === second));
  expect(perSecond.map(({ length }) => length)).toEqual(Array(30).fill(100));
});
