/**
 * Replaces the server's drawing of the chart with an interactive one when the chart is in or near the visible part of
 * the page. Only then loads the drawing code and uPlot. If loading fails, the server's drawing stays.
 */
import type { Chart } from "../../pages/usage/chart-shape.ts";
import type { Drawing } from "./chart-drawing.ts";

type Code = typeof import("./chart-drawing.ts");

const NEAR = "200px";

let code: Promise<Code> | null = null;
let loads = 0;
/** The drawing on the page, with its data as JSON text; null if there is none. */
let mounted: (Drawing & { text: string }) | null = null;

const visibility = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      visibility.unobserve(target);
      tryToMount(target as HTMLElement);
    }
  },
  { rootMargin: NEAR },
);

export function showCharts(): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => mounted?.chart.redraw());
  document.addEventListener("htmx:after:settle", followPage);
  followPage();
}

/** Handles a change of the page, which may now have a new chart, new data for its chart, or no chart. */
function followPage(): void {
  const figure = document.getElementById("chart");
  if (figure === null) {
    unmount(mounted);
    mounted = null;
  } else if (mounted === null) visibility.observe(figure);
  else tryToMount(figure);
}

function tryToMount(figure: HTMLElement): void {
  mount(figure).catch(() => {
    // The server's drawing stays on the page. The next change of the chart tries again.
  });
}

/** Draws the figure's data, unless the drawing on the page already shows it. */
async function mount(figure: HTMLElement): Promise<void> {
  const text = figure.dataset.chart ?? "";
  const { draw } = await loadCode();
  if (!figure.isConnected || figure.dataset.chart !== text) return;
  if (mounted?.text === text && mounted.plot.isConnected) return;
  const plot = figure.querySelector<HTMLElement>(".plot");
  if (plot === null) return;
  // The plot has a size only when it has content: the stylesheet then hides the server's drawing.
  if (!plot.hasChildNodes()) plot.append(document.createElement("span"));
  const before = mounted;
  try {
    mounted = { ...draw(JSON.parse(text) as Chart, plot, before?.plot === plot ? before : null), text };
  } catch (error) {
    mounted = null;
    plot.replaceChildren();
    throw error;
  } finally {
    unmount(before);
  }
}

function loadCode(): Promise<Code> {
  // Browsers remember that a module failed to load, by its full URL. A new fragment makes them try again.
  code ??= (import(loads++ === 0 ? CHART_URL : `${CHART_URL}#${loads}`) as Promise<Code>).catch((error: unknown) => {
    code = null;
    throw error;
  });
  return code;
}

function unmount(drawing: Drawing | null): void {
  drawing?.observer.disconnect();
  drawing?.chart.destroy();
}
