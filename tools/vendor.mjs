// Copies the browser libraries that the pages serve from node_modules to public/vendor/, where they are committed.
// They are pinned by package-lock.json; serving our own copy means no other host and no build step.
// `--check` copies nothing and fails when a copy differs from its package.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./install.mjs";

/** Path in node_modules → name in public/vendor. */
const VENDORED = {
  "htmx.org/dist/htmx.min.js": "htmx.min.js",
  "htmx.org/dist/ext/hx-ws.min.js": "hx-ws.min.js",
  "uplot/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
  "uplot/dist/uPlot.min.css": "uPlot.min.css",
};

/** The vendored files whose content is not that of the installed package. */
export function staleVendorFiles() {
  return Object.entries(VENDORED)
    .map(([source, name]) => ({
      source: join(ROOT, "node_modules", source),
      copy: join(ROOT, "public", "vendor", name),
    }))
    .filter(({ source, copy }) => !existsSync(copy) || !readFileSync(source).equals(readFileSync(copy)));
}

/** Copies what differs. Returns the paths that were written. */
export function copyVendorFiles() {
  const stale = staleVendorFiles();
  for (const { source, copy } of stale) {
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, readFileSync(source));
  }
  return stale.map(({ copy }) => copy);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  if (process.argv.includes("--check")) {
    const stale = staleVendorFiles();
    for (const { copy } of stale) console.error(`${copy} differs from its package: run "npm run vendor".`);
    process.exitCode = stale.length > 0 ? 1 : 0;
  } else {
    for (const path of copyVendorFiles()) console.log(`copied ${path}`);
  }
}
