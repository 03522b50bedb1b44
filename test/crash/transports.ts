// How agents report until the server is killed: single reports over HTTP, batches over HTTP, or the debit socket. A
// refusal is an error. A broken connection is expected, and ends the work.

import { setTimeout as sleep } from "node:timers/promises";
import { type Random, wholeBetween } from "../../tools/kit/random.ts";
import { bearer, HttpConnection, requestBytes } from "../../tools/workerd/http-connection.ts";
import { RawSocket } from "../../tools/workerd/raw-socket.ts";
import type { Agent } from "./agent.ts";

/** The address of an enterprise and the key of its agents. */
export interface Target {
  port: number;
  path: string;
  key: string;
}

export type Transport = "single" | "batch" | "socket";

const MAX_PAUSE_MS = 20;

/** Reports over one connection until the server is gone. */
export function reportUntilKilled(
  transport: Transport,
  target: Target,
  agents: readonly Agent[],
  random: Random,
): Promise<void> {
  return transport === "socket"
    ? reportOverSocket(target, agents, random)
    : reportOverHttp(transport, target, agents, random);
}

async function reportOverHttp(
  transport: Transport,
  target: Target,
  agents: readonly Agent[],
  random: Random,
): Promise<void> {
  const connection = await HttpConnection.open(target.port).catch(() => null);
  while (connection !== null) {
    const reports = agents.map((agent) => agent.nextReport());
    const body = transport === "single" ? (reports[0] as string) : batchOf(reports);
    const answer = await connection.send(post(target, body)).catch(nullIfDisconnected);
    if (answer === null) return;
    if (transport === "batch") assertNoneRefused(answer);
    for (const agent of agents) agent.answered();
    await pause(random);
  }
}

function reportOverSocket({ port, path, key }: Target, agents: readonly Agent[], random: Random): Promise<void> {
  return new Promise((resolve, reject) => {
    const waiting = new Map<number, Agent>();
    let lastId = 0;
    let gone = false;
    const send = (agent: Agent): void => {
      // By now another connection may have taken this agent over.
      if (gone) return;
      lastId += 1;
      waiting.set(lastId, agent);
      socket.send(`{"id":${lastId},${agent.nextReport().slice(1)}`);
    };
    const onReply = (text: string): void => {
      const { id, status } = JSON.parse(text) as { id: number; status?: number };
      const agent = waiting.get(id);
      if (agent === undefined || status !== undefined) {
        reject(new Error(`an unexpected reply or a refusal: ${text}`));
        return;
      }
      waiting.delete(id);
      agent.answered();
      void pause(random).then(() => send(agent));
    };
    const onEnd = (error: Error): void => {
      gone = true;
      if (error.message.startsWith("the socket was refused")) reject(error);
      else resolve();
    };
    const socket = new RawSocket({ port, path: `${path}/debits/stream`, key }, onReply, onEnd);
    void socket.opened.then(() => agents.forEach(send));
  });
}

/** Watches the gauge until the server is gone, so that the copy is written several times a second. */
export function watch({ port, path, key }: Target): Promise<void> {
  return new Promise((resolve) => {
    new RawSocket(
      { port, path: `${path}/live`, key },
      () => {},
      () => resolve(),
    );
  });
}

export function post({ path, key }: Target, body: string): Buffer {
  return requestBytes("POST", `${path}/debits`, bearer(key), body);
}

export function batchOf(reports: readonly string[]): string {
  return `{"reports":[${reports.join(",")}]}`;
}

export function assertNoneRefused(answer: Buffer): void {
  const { results } = JSON.parse(answer.toString()) as { results: { status?: number }[] };
  const refused = results.find(({ status }) => status !== undefined);
  if (refused !== undefined) throw new Error(`a report was refused: ${JSON.stringify(refused)}`);
}

/** A broken connection gives null; an HTTP error is thrown. */
function nullIfDisconnected(error: Error): null {
  if (error.message.startsWith("HTTP/")) throw error;
  return null;
}

function pause(random: Random): Promise<void> {
  return sleep(wholeBetween(random, 0, MAX_PAUSE_MS));
}
