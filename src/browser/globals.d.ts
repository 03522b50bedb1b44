/** Declares the globals of the browser's code: htmx, events of its WebSocket extension, and values from the build. */

declare const htmx: import("htmx.org").Htmx;

/** The URL of the chart's script, which tools/build-assets.mjs inserts. */
declare const CHART_URL: string;

/** The build imports a stylesheet as a minified string. */
declare module "*.css" {
  const text: string;
  export default text;
}

/** Events of htmx's extension hx-ws, which htmx's own types do not declare. */
interface DocumentEventMap {
  "htmx:ws:before:message:incoming": CustomEvent<{ message: { data: unknown } }>;
  "htmx:ws:close": CustomEvent<{ code: number | null }>;
}
