// Runs a TypeScript tool of this folder on the project's own Node: `node tools/run.mjs FOLDER/FILE.ts [options]`.
// The tools need Node 24. This file runs on Node 20 or newer and before an install, so that `npm run replay` in a
// fresh clone installs what is missing instead of failing with a puzzling error.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT, runAndExit } from "./install.mjs";

const USAGE = `Usage: node tools/run.mjs FOLDER/FILE.ts [options of the tool]

Runs a tool in tools/, named by its path from there, for example:

  node tools/run.mjs replay/replay.ts --help
  node tools/run.mjs simulate.ts --seconds 60`;

const [tool = "", ...args] = process.argv.slice(2);
const script = join(ROOT, "tools", tool);

if (tool === "" || tool === "--help" || tool === "-h") {
  (tool === "" ? console.error : console.log)(USAGE);
  process.exit(tool === "" ? 1 : 0);
}
if (!/^([a-z-]+\/)?[a-z-]+\.ts$/.test(tool) || !existsSync(script)) {
  console.error(`There is no tool "${tool}" in tools/.\n\n${USAGE}`);
  process.exit(1);
}
runAndExit([script, ...args]);
