// `node tools/run.mjs large-books.ts --runs 1000000`: measures how long debits wait while the audit of an enterprise with so
// many runs, and the rebuild of its copy, are under way. Prints what it found; test/enterprise/large-books.ts does the work.
import { runScript } from "./campaign/child.ts";
import { reportFailure } from "./kit/failures.mjs";
import { parseOptions } from "./kit/options.mjs";

const HELP = `Usage: node tools/run.mjs large-books.ts [options]

Fills an enterprise with runs, then audits it and rebuilds its copy while 50 debits arrive in each second. Says on stderr
how far it is, and prints the result at the end.

  --runs N   how many runs (default 1000000, which takes 3 GB of memory)
  --help     show this help`;

const OPTIONS = {
  runs: { type: "string", default: "1000000" },
  help: { type: "boolean", short: "h", default: false },
} as const;

await main().catch(reportFailure);

async function main(): Promise<void> {
  const { values } = parseOptions("node tools/run.mjs large-books.ts", { options: OPTIONS });
  if (values.help) return console.log(HELP);
  const { code, output } = await runScript("test/enterprise/large-books.ts", ["--runs", values.runs]);
  console.log(output);
  process.exitCode = code ?? 1;
}
