// Takes a CPU profile of the Worker's isolate through workerd's inspector while a load runs. Prints the shares of the
// isolate's busy time by source file and by function. What workerd does outside of JavaScript (sockets, SQLite's disk
// access, promises) appears as "(program)".

import { readFileSync } from "node:fs";
import { freePort } from "../kit/free-port.ts";
import { Runtime } from "../workerd/runtime.ts";
import { type LoadName, LoadRunner } from "./load-runner.ts";

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number }; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

/** The share of time spent in a file or function itself (`self`), and including what it calls (`total`). */
interface Share {
  name: string;
  self: number;
  total: number;
}

const SAMPLE_EVERY_MICROS = 200;
const MEASURE_MS = 4_000;
const MAX_LINES = 30;

/** Runs one load twice, the second time under the profiler, and prints the shares. */
export async function printProfile(
  bundle: string,
  directory: string,
  loadName: LoadName,
  cleanups: (() => Promise<unknown>)[],
): Promise<void> {
  const inspectorPort = await freePort();
  const runtime = new Runtime(bundle, directory, { inspectorPort });
  cleanups.push(() => runtime.stop());
  await runtime.start();
  await runtime.migrate();
  const loads = new LoadRunner(runtime, null, { enterprise: "bench", key: await runtime.provision("bench") });
  const load = () => loads.run(loadName, { leadMs: 500, measureMs: MEASURE_MS });
  await load();
  const profile = await profileWhile(inspectorPort, load);
  const { files, functions } = sharesOf(profile, bundle);
  const line = ({ name, self, total }: Share) =>
    `${(self * 100).toFixed(1).padStart(6)} %  ${(total * 100).toFixed(1).padStart(6)} %  ${name}`;
  for (const [title, shares] of [
    ["file", files],
    ["function", functions],
  ] as const) {
    console.log(`\n    self     total  by ${title}\n${shares.slice(0, MAX_LINES).map(line).join("\n")}`);
  }
}

/** Profiles the isolate while `load` runs. */
async function profileWhile(inspectorPort: number, load: () => Promise<unknown>): Promise<Profile> {
  const socket = new WebSocket(`ws://127.0.0.1:${inspectorPort}/core:user:fuelgauge`);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const waiting = new Map<number, (result: unknown) => void>();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (message.id !== undefined) waiting.get(message.id)?.(message.result);
  };
  const command = (method: string, params = {}) =>
    new Promise<unknown>((resolve) => {
      const id = waiting.size + 1;
      waiting.set(id, resolve);
      socket.send(JSON.stringify({ id, method, params }));
    });
  await command("Profiler.enable");
  await command("Profiler.setSamplingInterval", { interval: SAMPLE_EVERY_MICROS });
  await command("Profiler.start");
  await load();
  const { profile } = (await command("Profiler.stop")) as { profile: Profile };
  socket.close();
  return profile;
}

/** The shares by source file and by function, largest `self` first. */
function sharesOf(profile: Profile, bundle: string): { files: Share[]; functions: Share[] } {
  const sourceAt = sourcesOf(bundle);
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])));
  const files = new Map<string, Share>();
  const functions = new Map<string, Share>();
  let busyMicros = 0;
  for (const [i, sample] of profile.samples.entries()) {
    const micros = profile.timeDeltas[i] as number;
    if (byId.get(sample)?.callFrame.functionName === "(idle)") continue;
    busyMicros += micros;
    const seen = new Set<string>();
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const { functionName, url, lineNumber } = (byId.get(id) as Profile["nodes"][number]).callFrame;
      const file = url.includes("product") ? sourceAt(lineNumber) : url === "" ? "(runtime)" : url;
      const name = `${functionName === "" ? `(at line ${lineNumber + 1})` : functionName}  ${file}`;
      for (const [shares, key] of [
        [files, file],
        [functions, name],
      ] as const) {
        const share = shares.get(key) ?? { name: key, self: 0, total: 0 };
        if (id === sample) share.self += micros;
        if (!seen.has(key)) share.total += micros;
        shares.set(key, share);
        seen.add(key);
      }
    }
  }
  const sorted = (shares: Map<string, Share>) =>
    [...shares.values()]
      .map(({ name, self, total }) => ({ name, self: self / busyMicros, total: total / busyMicros }))
      .sort((a, b) => b.self - a.self);
  return { files: sorted(files), functions: sorted(functions) };
}

/** Maps lines of the bundle to source files, which the bundle names in comments before their code. */
function sourcesOf(bundle: string): (line: number) => string {
  const starts: { line: number; file: string }[] = [];
  for (const [line, text] of readFileSync(bundle, "utf8").split("\n").entries()) {
    const file = /^ *\/\/ (\S+\.(?:m?[jt]sx?))$/.exec(text)?.[1];
    if (file !== undefined) starts.push({ line, file: file.replace(/^.*node_modules\//, "") });
  }
  return (line) => starts.findLast((start) => start.line <= line)?.file ?? "(bundle)";
}
