/** Uses the client's main entry and its socket entry, the way an application does. Only the compiler reads it. */
import { createFuelgauge, type Finished, type Run, RunStopped, type Trouble } from "@fuelgauge/client";
import { type OpenSocket, socketTransport } from "@fuelgauge/client/socket";

const open: OpenSocket = () => Promise.reject(new Error("this runtime has no WebSocket"));
const troubles: Trouble[] = [];

export const fuelgauge = createFuelgauge({
  url: "https://fuelgauge.example.com",
  enterprise: "acme",
  key: async () => "fg_key",
  transport: socketTransport(open),
  whenUnreachable: { policy: "open", maxRuns: 1, maxUnreported: 10, weigh: (_, usage) => usage.output_tokens },
  onTrouble: (trouble) => troubles.push(trouble),
});

export async function startRun(): Promise<Run> {
  const started = await fuelgauge.startRun({ run: "r", surface: "cli", workspace: "w", user: "u" });
  if (!started.admitted) throw new Error(`${started.refusal.code} ${started.refusal.available_micros ?? 0}`);
  started.run.onAction(({ action, reason }) => console.log(action, reason));
  return started.run;
}

export function finish(run: Run): Promise<Finished> {
  run.final("gpt-5", { input_tokens: 1, output_tokens: 2 });
  return run.finish({ waitMs: 1_000 });
}

export function whyStopped(run: Run): string | null {
  return run.signal.reason instanceof RunStopped ? run.signal.reason.reason : null;
}
