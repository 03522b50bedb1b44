// Runs a tool of this directory (`node tools/run.mjs replay/replay.ts …`) on the project's own Node.
// The tools are TypeScript for Node 24; this bootstrap works on any Node from 20 on and before an install, so that
// `npm run replay` in a fresh clone installs what is missing instead of failing with a strange message.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, runAndExit } from "./install.mjs";

const [tool, ...args] = process.argv.slice(2);
const script = join(ROOT, "tools", tool ?? "");

if (!tool || !/^([a-z-]+\/)?[a-z-]+\.ts$/.test(tool) || !existsSync(script)) {
  console.error(
    `No tool "${tool ?? ""}". Name a file of tools/, for example: node tools/run.mjs replay/replay.ts --help`,
  );
  process.exit(1);
}
runAndExit([script, ...args]);
