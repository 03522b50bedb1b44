// Runs the built Worker as a child process, so that the test can read everything that it writes. Arguments: the bundle
// and the folder of its state. The port and the secrets go to the parent as a message, because they must not be written.

import process from "node:process";
import { Runtime } from "../../tools/workerd/runtime.ts";

const [bundle = "", directory = ""] = process.argv.slice(2);
const runtime = new Runtime(bundle, directory);
await runtime.start();
await runtime.migrate();
const { port, operatorKey, signingSecret } = runtime;
process.send?.({ port, operatorKey, signingSecret });
process.once("disconnect", () => runtime.stop());
