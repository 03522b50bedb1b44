// Builds the files that browsers load: bundles src/browser and src/styles with esbuild, takes htmx and uPlot from their
// packages, and writes everything to dist/public together with a copy of public/. wrangler serves that directory.
// Files in /assets/ have a hash of their content in their names, so browsers may cache them for ever. The Worker gets
// their names from dist/asset-paths.json. wrangler runs this script (see [build] in wrangler.toml), and so do
// `npm run check` and the tests. It is plain JavaScript because wrangler runs it on the user's Node, which may be 20.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import { ROOT } from "./install.mjs";

/**
 * Both libraries are used as their authors minified them, because esbuild would make them larger. htmx initializes the
 * page in the first task after it has loaded, so its WebSocket extension has to be in the same file.
 */
const HTMX = ["htmx.org/dist/htmx.min.js", "htmx.org/dist/ext/hx-ws.min.js"];
const UPLOT = ["uplot/dist/uPlot.iife.min.js"];

/**
 * The usage bar contains its stylesheet as a string, which esbuild would not minify.
 * @type {esbuild.Plugin}
 */
const STYLESHEET_AS_TEXT = {
  name: "stylesheet-as-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

/**
 * Writes `<directory>/public` and `<directory>/asset-paths.json`. Files that already have the right content are not
 * written, so that nothing that watches them reloads without a reason, and several builds may run at the same time.
 * @param {string} directory
 */
export async function buildAssets(directory = join(ROOT, "dist")) {
  const publicDirectory = join(directory, "public");
  const { files, paths } = await makeAssets();
  for (const [path, content] of files) writeIfChanged(join(publicDirectory, path), content, directory);
  writeIfChanged(join(directory, "asset-paths.json"), Buffer.from(`${JSON.stringify(paths, null, 2)}\n`), directory);
  // Last, so that a Worker with the old names never runs without their files.
  for (const path of filesBelow(publicDirectory)) {
    if (!files.has(path)) rmSync(join(publicDirectory, path), { force: true });
  }
}

/** Returns the content of every file by its path, and the URLs of those that pages link to. */
async function makeAssets() {
  /** @type {Map<string, Buffer>} */
  const files = new Map(
    filesBelow(join(ROOT, "public")).map((path) => [path, readFileSync(join(ROOT, "public", path))]),
  );
  /** @param {string} name @param {string} content @returns {string} the file's URL */
  function addHashed(name, content) {
    const hash = createHash("sha256").update(content).digest("hex").slice(0, 12);
    const path = `assets/${name.replace(".", `-${hash}.`)}`;
    files.set(path, Buffer.from(content));
    return `/${path}`;
  }

  // The usage page's script loads the chart only when it is needed, so it has to know the chart's URL.
  const chartUrl = addHashed(
    "chart.js",
    await bundle("src/browser/usage/chart-drawing.ts", { format: "esm", banner: { js: fromPackages(UPLOT) } }),
  );
  const define = { CHART_URL: JSON.stringify(chartUrl) };
  const paths = {
    "icon.svg": addHashed("icon.svg", readFileSync(join(ROOT, "src", "browser", "icon.svg"), "utf8")),
    "app.css": addHashed("app.css", await bundle("src/styles/app.css")),
    "htmx.js": addHashed("htmx.js", fromPackages(HTMX)),
    "page.js": addHashed("page.js", await bundle("src/browser/page.ts")),
    "usage.js": addHashed("usage.js", await bundle("src/browser/usage.ts", { define })),
  };
  // Other sites link to this one, so its name never changes.
  const usageBar = await bundle("src/browser/usage-bar.ts", { plugins: [STYLESHEET_AS_TEXT] });
  files.set("embed/usage-bar.js", Buffer.from(usageBar));
  return { files, paths };
}

/** @param {string} entry @param {esbuild.BuildOptions} options @returns {Promise<string>} */
async function bundle(entry, options = {}) {
  const { outputFiles = [] } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    write: false,
    logLevel: "warning",
    ...options,
  });
  return outputFiles.map(({ text }) => text).join("");
}

/** @param {string[]} paths in node_modules; files without import and export, which can follow each other */
function fromPackages(paths) {
  return paths.map((path) => readFileSync(join(ROOT, "node_modules", path), "utf8").trimEnd()).join(";\n");
}

/** @param {string} directory @returns {string[]} paths with "/", relative to the directory */
function filesBelow(directory) {
  if (!existsSync(directory)) return [];
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" });
  const files = paths.filter((path) => statSync(join(directory, path)).isFile());
  return files.map((path) => path.replaceAll(sep, "/")).sort();
}

/**
 * Renames a complete file, so that nobody reads half of one.
 * @param {string} path @param {Buffer} content @param {string} directory for the temporary file
 */
function writeIfChanged(path, content, directory) {
  if (existsSync(path) && readFileSync(path).equals(content)) return;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = join(directory, `.asset-${process.pid}`);
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  await buildAssets().catch((error) => {
    // esbuild has printed what is wrong with the sources.
    if (!("errors" in error)) console.error(error);
    process.exitCode = 1;
  });
}
