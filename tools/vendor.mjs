// Copies the browser libraries that the pages serve from node_modules to public/vendor/, where they are committed.
// They are pinned by package-lock.json; serving our own copy means no other host and no build step.
// `--check` copies nothing and fails when a copy differs from its package.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./install.mjs";

/**
 * Name in public/vendor → paths in node_modules, in this order. htmx looks at the page in the first task after it has
 * loaded, so an extension in a file of its own may come too late: both are one file.
 * @type {Record<string, string[]>}
 */
const VENDORED = {
  "htmx-ws.min.js": ["htmx.org/dist/htmx.min.js", "htmx.org/dist/ext/hx-ws.min.js"],
  "uPlot.iife.min.js": ["uplot/dist/uPlot.iife.min.js"],
};

/** The vendored files whose content is not that of the installed package. */
export function staleVendorFiles() {
  return Object.entries(VENDORED)
    .map(([name, sources]) => ({
      content: sources.map((source) => readFileSync(join(ROOT, "node_modules", source), "utf8").trimEnd()).join(";\n"),
      copy: join(ROOT, "public", "vendor", name),
    }))
    .filter(({ content, copy }) => !existsSync(copy) || readFileSync(copy, "utf8") !== content);
}

/** Copies what differs. Returns the paths that were written. */
export function copyVendorFiles() {
  const stale = staleVendorFiles();
  for (const { content, copy } of stale) {
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, content);
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
