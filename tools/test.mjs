// `npm test`: installs what is missing, then runs the tests on the project's own Node.
// Arguments go to vitest: `npm test -- test/tools` runs one folder, `npm test -- -t "half-hour"` the tests whose name
// contains these words. The exit code is vitest's.
import { join } from "node:path";
import { ROOT, runAndExit } from "./install.mjs";

// Vitest looks for its configuration in the current folder.
process.chdir(ROOT);

// Keeps wrangler from using the network during tests.
process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";

runAndExit([join("node_modules", "vitest", "vitest.mjs"), "run", ...process.argv.slice(2)]);
