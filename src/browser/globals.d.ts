/** Globals of the browser's code: htmx, the events of its WebSocket extension, and values that the build inserts. */

declare const htmx: import("htmx.org").Htmx;

/** The URL of the chart's script. tools/build-assets.mjs inserts it. */
declare const CHART_URL: string;

/** A stylesheet as a minified string. */
declare module "*.css" {
  const text: string;
  export default text;
}

/** Events of the extension hx-ws, which are missing in htmx's types. */
interface DocumentEventMap {
  "htmx:ws:before:message:incoming": CustomEvent<{ message: { data: unknown } }>;
  "htmx:ws:close": CustomEvent<{ code: number | null }>;
}
