// Loaded before an example of the documentation. It resolves `@fuelgauge/client` to the sources, so that examples run
// without a build; resolves the SDKs from this project, wherever the example is; and sends requests for Vercel's AI
// gateway to this machine.
import { registerHooks } from "node:module";
import process from "node:process";

const here = import.meta.url;
const client = new URL("../../packages/client/src/", here);

registerHooks({
  resolve(specifier, context, next) {
    const [imported, entry = "fuelgauge"] = /^@fuelgauge\/client(?:\/(.+))?$/.exec(specifier) ?? [];
    if (imported !== undefined) return next(new URL(`${entry}.ts`, client).href, context);
    const bare = /^[@a-z]/.test(specifier) && !specifier.includes(":");
    return next(specifier, bare && context.parentURL?.endsWith(".mts") ? { ...context, parentURL: here } : context);
  },
});

const { GATEWAY_URL } = process.env;
const { fetch } = globalThis;
if (GATEWAY_URL !== undefined) {
  globalThis.fetch = (url, init) => fetch(String(url).replace("https://ai-gateway.vercel.sh", GATEWAY_URL), init);
}
