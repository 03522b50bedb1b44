/** What the browser's code finds beside it: htmx, the events of its WebSocket extension, and what the build puts in. */

declare const htmx: import("htmx.org").Htmx;

/** The URL of the chart's script; tools/build-assets.mjs puts it in. */
declare const CHART_URL: string;

/** A stylesheet as a string, minified. */
declare module "*.css" {
  const text: string;
  export default text;
}

/** Events of the extension hx-ws, which htmx's own types leave out. */
interface DocumentEventMap {
  "htmx:ws:before:message:incoming": CustomEvent<{ message: { data: unknown } }>;
  "htmx:ws:close": CustomEvent<{ code: number | null }>;
}
