// The script of the demo editor's page. For the usage bar it does only what every host has to do: get embed tokens from
// the host's backend. The rest starts runs of the demo agent and lists what each report was charged.
import type { RunStep } from "../editor-run.ts";

type UsageBar = HTMLElement & { getToken: () => Promise<string> };

const MAX_LINES = 12;

const bars = document.querySelectorAll<UsageBar>("usage-bar");
const enterprise = bars[0]?.getAttribute("enterprise");

for (const bar of bars) {
  bar.getToken = async () => (await (await post("/token", { enterprise })).json()).token;
}

document.querySelector("button")?.addEventListener("click", async () => {
  const size = document.querySelector<HTMLInputElement>("input[name=size]:checked")?.value;
  try {
    await showRun(await post("/run", { enterprise, size }));
  } catch {
    log("The editor's backend did not answer.");
  }
});

// A host can act on thresholds; this one only lists them.
bars[0]?.addEventListener("usage-threshold", (event) => {
  log(`usage-threshold: ${(event as CustomEvent<{ threshold: number }>).detail.threshold} %`);
});

function post(path: string, body: unknown): Promise<Response> {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** Lists the steps of a run as they arrive, one line of JSON each. */
async function showRun(response: Response): Promise<void> {
  if (!response.ok || response.body === null) return log((await response.json()).error);
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) log(describe(JSON.parse(line)));
  }
}

function describe(step: RunStep): string {
  switch (step.kind) {
    case "refused":
      return `Not started: ${step.detail}`;
    case "started":
      return `Started with ${step.model}`;
    case "report":
      return `+${amount(step.charged_micros, step.unit)}, ${amount(step.run_total_micros, step.unit)} so far`;
    case "ended":
      return step.reason === null ? "Done" : `Stopped: ${step.reason.replaceAll("_", " ")}`;
    default:
      return step satisfies never;
  }
}

function amount(micros: number, unit: string): string {
  return unit === "usd" ? `$${(micros / 1e6).toFixed(4)}` : `${(micros / 1e6).toFixed(2)} credits`;
}

/** Puts a line on top of the list. */
function log(text: string): void {
  const item = document.createElement("li");
  item.textContent = text;
  const list = document.querySelector("ol");
  list?.prepend(item);
  while (list !== null && list.children.length > MAX_LINES) list.lastElementChild?.remove();
}
