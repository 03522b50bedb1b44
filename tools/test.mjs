// `npm test`: installs what is missing, then runs every test on the project's own Node.
// Arguments go to vitest: `npm test -- test/tools` runs one folder, `npm test -- -t "half-hour"` one sentence.
// The exit code is vitest's.
import { join } from "node:path";
import { ROOT, runAndExit } from "./install.mjs";

// Vitest reads its configuration from where it is started.
process.chdir(ROOT);

// Nothing that tests start needs to ask the network for anything.
process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";

runAndExit([join("node_modules", "vitest", "vitest.mjs"), "run", ...process.argv.slice(2)]);
