// Agents at work until the server dies under them: over HTTP alone, over HTTP in batches, over the debit socket. An
// answer that is not a success is an error; a connection that breaks is what the crash is for.
import { setTimeout as sleep } from "node:timers/promises";
import { HttpConnection } from "../../tools/bench/http-load.ts";
import { RawSocket } from "../../tools/bench/socket-load.ts";
import { bearer, requestBytes } from "../../tools/bench/workload.ts";
import { type Random, wholeBetween } from "../../tools/kit/random.ts";
import type { Lane } from "./lanes.ts";

/** Where an enterprise is reached, and by which key. */
export interface Door {
  port: number;
  path: string;
  key: string;
}

export type Way = "single" | "batch" | "socket";

const MOST_THOUGHT_MS = 20;

/** Works until the server is gone. */
export function work(way: Way, door: Door, lanes: readonly Lane[], random: Random): Promise<void> {
  return way === "socket" ? workOnSocket(door, lanes, random) : workOnHttp(way, door, lanes, random);
}

async function workOnHttp(way: Way, door: Door, lanes: readonly Lane[], random: Random): Promise<void> {
  const connection = await HttpConnection.open(door.port).catch(() => null);
  while (connection !== null) {
    const reports = lanes.map((lane) => lane.next());
    const body = way === "single" ? (reports[0] as string) : batchOf(reports);
    const answer = await connection.send(post(door, body)).catch(goneOrThrow);
    if (answer === null) return;
    if (way === "batch") assertAllTaken(answer);
    for (const lane of lanes) lane.answered();
    await think(random);
  }
}

function workOnSocket({ port, path, key }: Door, lanes: readonly Lane[], random: Random): Promise<void> {
  return new Promise((resolve, reject) => {
    const waiting = new Map<number, Lane>();
    let lastId = 0;
    let gone = false;
    const send = (lane: Lane): void => {
      // The lane is another client's by now.
      if (gone) return;
      lastId += 1;
      waiting.set(lastId, lane);
      socket.send(`{"id":${lastId},${lane.next().slice(1)}`);
    };
    const onReply = (text: string): void => {
      const { id, status } = JSON.parse(text) as { id: number; status?: number };
      const lane = waiting.get(id);
      if (lane === undefined || status !== undefined) {
        reject(new Error(`a reply that was not asked for, or a refusal: ${text}`));
        return;
      }
      waiting.delete(id);
      lane.answered();
      void think(random).then(() => send(lane));
    };
    const onEnd = (error: Error): void => {
      gone = true;
      if (error.message.startsWith("the socket was refused")) reject(error);
      else resolve();
    };
    const socket = new RawSocket({ port, path: `${path}/debits/stream`, key }, onReply, onEnd);
    void socket.opened.then(() => lanes.forEach(send));
  });
}

/** Somebody looks at the gauge all the time, so the copy is written several times a second. */
export function watch({ port, path, key }: Door): Promise<void> {
  return new Promise((resolve) => {
    new RawSocket(
      { port, path: `${path}/live`, key },
      () => {},
      () => resolve(),
    );
  });
}

export function post({ path, key }: Door, body: string): Buffer {
  return requestBytes("POST", `${path}/debits`, bearer(key), body);
}

export function batchOf(reports: readonly string[]): string {
  return `{"reports":[${reports.join(",")}]}`;
}

export function assertAllTaken(answer: Buffer): void {
  const { results } = JSON.parse(answer.toString()) as { results: { status?: number }[] };
  const refused = results.find(({ status }) => status !== undefined);
  if (refused !== undefined) throw new Error(`a report was refused: ${JSON.stringify(refused)}`);
}

/** Null for a connection that broke; what the server said instead of a success is an error. */
function goneOrThrow(error: Error): null {
  if (error.message.startsWith("HTTP/")) throw error;
  return null;
}

function think(random: Random): Promise<void> {
  return sleep(wholeBetween(random, 0, MOST_THOUGHT_MS));
}
