// Loaded before an example of the documentation: makes `fuelgauge/client` what it is for those who have installed it,
// lets the example find the SDKs of this project wherever it lies, and leads the gateway's address to this machine.
import { registerHooks } from "node:module";
import process from "node:process";

const here = import.meta.url;
const client = new URL("../../src/client/", here);

registerHooks({
  resolve(specifier, context, next) {
    const [, file = "fuelgauge"] = /^fuelgauge\/client(?:\/(.+))?$/.exec(specifier) ?? [];
    if (specifier.startsWith("fuelgauge/client")) return next(new URL(`${file}.ts`, client).href, context);
    const bare = /^[@a-z]/.test(specifier) && !specifier.includes(":");
    return next(specifier, bare && context.parentURL?.endsWith(".mts") ? { ...context, parentURL: here } : context);
  },
});

const { GATEWAY_URL } = process.env;
const { fetch } = globalThis;
if (GATEWAY_URL !== undefined) {
  globalThis.fetch = (url, init) => fetch(String(url).replace("https://ai-gateway.vercel.sh", GATEWAY_URL), init);
}
