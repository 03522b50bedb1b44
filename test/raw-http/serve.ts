// A process of its own that runs the built Worker, so that whoever started it can read everything that it writes.
// Arguments: the bundle, and where its state lies. What must not be written goes to the parent as a message.
import process from "node:process";
import { Runtime } from "../../tools/bench/runtime.ts";

const [bundle = "", directory = ""] = process.argv.slice(2);
const runtime = new Runtime(bundle, directory);
await runtime.start();
await runtime.migrate();
const { port, operatorKey, signingSecret } = runtime;
process.send?.({ port, operatorKey, signingSecret });
process.once("disconnect", () => runtime.stop());
