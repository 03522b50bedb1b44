// The host's side of the usage bar: an embed token from the host's own backend, and nothing else.
// The rest of this page starts runs of the demo agent and shows what each report was charged.

const MOST_LINES = 12;
const bars = document.querySelectorAll("usage-bar");
const enterprise = bars[0].getAttribute("enterprise");

for (const bar of bars) {
  bar.getToken = async () => (await (await ask("/token", { enterprise })).json()).token;
}

document.querySelector("button").addEventListener("click", async () => {
  const size = document.querySelector("input[name=size]:checked").value;
  try {
    await tellRun(await ask("/run", { enterprise, size }));
  } catch {
    log("The editor's backend is away.");
  }
});

// A host may act on what the bar says; this one only notes it.
bars[0].addEventListener("usage-threshold", ({ detail }) => {
  log(`usage-threshold: ${detail.threshold} %`);
});

function ask(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

/** Lines of JSON, as they come. */
async function tellRun(response) {
  if (!response.ok) return log((await response.json()).error);
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) log(wordsOf(JSON.parse(line)));
  }
}

function wordsOf(step) {
  switch (step.kind) {
    case "refused":
      return `Not started: ${step.detail}`;
    case "started":
      return `Started with ${step.model}`;
    case "report": {
      const { charged_micros, run_total_micros, unit } = step;
      return `+${amount(charged_micros, unit)}, ${amount(run_total_micros, unit)} so far`;
    }
    default:
      return step.reason === null ? "Done" : `Stopped: ${step.reason.replaceAll("_", " ")}`;
  }
}

function amount(micros, unit) {
  return unit === "usd" ? `$${(micros / 1e6).toFixed(4)}` : `${(micros / 1e6).toFixed(2)} credits`;
}

function log(text) {
  const item = document.createElement("li");
  item.textContent = text;
  const list = document.querySelector("ol");
  list.prepend(item);
  while (list.children.length > MOST_LINES) list.lastChild.remove();
}
