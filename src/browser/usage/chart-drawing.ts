/**
 * Draws a chart with uPlot. The build puts uPlot's code in front of this file. The data includes all texts and ticks,
 * so this file formats nothing. It reads colours from the stylesheet at each drawing, so a change of theme needs only a
 * redraw. Screen readers cannot read a canvas. For them, a range input steps through the points, and a table lists
 * every number.
 */
import type uPlotLibrary from "uplot";
import type { Chart, ChartSeries } from "../../pages/usage/chart-shape.ts";

declare const uPlot: typeof uPlotLibrary;

/** A drawing on the page. Its scrubber is a range input that steps through the points. */
export type Drawing = { chart: uPlotLibrary; observer: ResizeObserver; plot: HTMLElement; scrubber: HTMLInputElement };

type Size = { width: number; height: number };

const FONT = "12px system-ui, sans-serif";
/** The width of a digit in this font, rounded up, and the space between a label and the plot. */
const LABEL_CHARACTER_PX = 7;
const LABEL_GAP_PX = 6;
const COLORS: Record<ChartSeries["key"], string> = {
  web: "--web",
  cli: "--cli",
  used: "--monthly",
  forecast: "--muted",
  previous: "--muted",
};
/** A position outside the plot, where uPlot hides the cursor. */
const NO_CURSOR = { left: -10, top: -10 };
const TIP_DISTANCE = 14;

const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws a chart into the plot element. Keeps the point that was selected in the previous drawing. */
export function draw(data: Chart, plot: HTMLElement, before: Drawing | null): Drawing {
  const { clientWidth: width, clientHeight: height } = plot;
  const walkedTo = before !== null && before.scrubber === document.activeElement ? before.scrubber.value : null;
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  const values: uPlotLibrary.AlignedData = [data.x, ...data.series.map(({ values }) => values)];
  const chart = new uPlot(optionsOf(data, tip, { width, height }), values);
  chart.root.setAttribute("role", "img");
  chart.root.setAttribute("aria-label", data.summary);
  const scrubber = makeScrubber(data, chart, tip);
  plot.replaceChildren(chart.root, tip, scrubber);
  const { left = -1, top = -1 } = before?.chart.cursor ?? {};
  // uPlot computes its layout in a microtask. Until then, points have no positions.
  queueMicrotask(() => {
    if (walkedTo !== null) {
      if (Number(walkedTo) <= Number(scrubber.max)) scrubber.value = walkedTo;
      scrubber.focus({ preventScroll: true });
    } else if (left >= 0) chart.setCursor({ left, top });
  });
  const observer = new ResizeObserver(() => {
    if (plot.clientWidth > 0) chart.setSize({ width: plot.clientWidth, height: plot.clientHeight });
  });
  observer.observe(plot);
  return { chart, observer, plot, scrubber };
}

function optionsOf(data: Chart, tip: HTMLElement, size: Size): uPlotLibrary.Options {
  const longestLabel = Math.max(...data.yTicks.map(({ label }) => label.length));
  const axis = { font: FONT, stroke: () => color("--muted"), ticks: { show: false } };
  return {
    ...size,
    padding: [10, 20, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false, setScale: false },
      points: { show: false },
      // The line stands on the point whose values the tip shows.
      move: (chart, left, top) => [left < 0 ? left : chart.valToPos(data.x[chart.posToIdx(left)] ?? 0, "x"), top],
    },
    scales: {
      x: { time: false, range: () => [data.xMin, data.xMax] },
      y: { range: () => [data.yTicks[0]?.at ?? 0, data.yTicks.at(-1)?.at ?? 1] },
    },
    axes: [
      {
        ...axis,
        size: 38,
        grid: { show: false },
        splits: () => data.xTicks.map(({ at }) => at),
        values: () => data.xTicks.map(({ label }) => label),
      },
      {
        ...axis,
        size: Math.max(size.width < 480 ? 44 : 56, longestLabel * LABEL_CHARACTER_PX + LABEL_GAP_PX),
        grid: { stroke: () => color("--line"), width: 1 },
        splits: () => data.yTicks.map(({ at }) => at),
        values: () => data.yTicks.map(({ label }) => label),
      },
    ],
    series: [{}, ...data.series.map(({ key }) => seriesOptions(key))],
    hooks: {
      draw: [(chart) => drawLimit(chart, data), (chart) => drawMarks(chart, data)],
      drawSeries: [(chart, index) => drawPoints(chart, data, index)],
      setCursor: [(chart) => showTip(chart, data, tip)],
    },
  };
}

function seriesOptions(key: ChartSeries["key"]): uPlotLibrary.Series {
  return {
    stroke: () => color(COLORS[key]),
    width: 2,
    points: { show: false },
    spanGaps: true,
    ...(key === "forecast" ? { dash: [6, 5] } : {}),
    ...(key === "previous" ? { width: 1.5, alpha: 0.5 } : {}),
    ...(key === "web" || key === "used" ? { fill: () => `${color(COLORS[key])}14` } : {}),
  };
}

function drawLimit(chart: uPlotLibrary, { limit }: Chart): void {
  if (limit === null) return;
  const { ctx, bbox } = chart;
  const y = chart.valToPos(limit.at, "y", true);
  ctx.save();
  ctx.strokeStyle = color("--critical");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}

function drawMarks(chart: uPlotLibrary, { marks }: Chart): void {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = color("--muted");
  ctx.globalAlpha = 0.5;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([]);
  for (const { at } of marks) {
    const x = chart.valToPos(at, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/**
 * Draws the points of a series: circles for Web, squares for CLI. The point of a bucket that has not ended yet is
 * hollow. A chart of the total shows only its newest point.
 */
function drawPoints(chart: uPlotLibrary, data: Chart, index: number): void {
  const series = data.series[index - 1];
  if (series === undefined || (data.kind === "total" && series.key !== "used")) return;
  const { key, values } = series;
  const { ctx } = chart;
  ctx.save();
  ctx.strokeStyle = color(COLORS[key]);
  ctx.lineWidth = 2 * devicePixelRatio;
  values.forEach((value, i) => {
    const isNewest = values[i + 1] === null;
    if (value === null || (data.kind === "total" && !isNewest)) return;
    const [x, y] = [chart.valToPos(data.x[i] ?? 0, "x", true), chart.valToPos(value, "y", true)];
    const size = (key === "cli" ? 3.5 : 4) * devicePixelRatio;
    ctx.fillStyle = data.partial.includes(i) ? color("--card") : color(COLORS[key]);
    ctx.beginPath();
    if (key === "cli") ctx.rect(x - size, y - size, 2 * size, 2 * size);
    else ctx.arc(x, y, size, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
  });
  ctx.restore();
}

/** Shows a tooltip with the values at the cursor, on its right if there is room, otherwise on its left. */
function showTip(chart: uPlotLibrary, data: Chart, tip: HTMLElement): void {
  const { idx: index, left = -1 } = chart.cursor;
  tip.hidden = index === null || index === undefined || left < 0;
  if (index === null || index === undefined || tip.hidden) return;
  const head = Object.assign(document.createElement("b"), { textContent: data.labels[index] });
  const zone = Object.assign(document.createElement("small"), { textContent: data.timeZone });
  const rows = data.series.flatMap((series) => tipRow(series.key, series.name, series.texts[index] ?? null));
  tip.replaceChildren(head, ...rows, ...tipRow("sum", "Total", data.sums?.[index] ?? null), zone);
  const at = chart.valToPos(data.x[index] ?? 0, "x") + chart.over.offsetLeft;
  const room = chart.root.clientWidth - tip.offsetWidth;
  const beside = at + TIP_DISTANCE > room ? at - tip.offsetWidth - TIP_DISTANCE : at + TIP_DISTANCE;
  // The content security policy forbids style attributes, but allows the style object.
  tip.style.transform = `translate(${Math.round(Math.max(0, Math.min(beside, room)))}px, 12px)`;
}

function tipRow(key: ChartSeries["key"] | "sum", name: string, text: string | null): HTMLElement[] {
  if (text === null) return [];
  const row = document.createElement("span");
  const mark = Object.assign(document.createElement("i"), { className: `swatch ${key}` });
  row.append(mark, name, Object.assign(document.createElement("em"), { textContent: text }));
  return [row];
}

/**
 * Makes a range input over the points. Arrow keys move the chart's cursor, and screen readers read the values aloud.
 */
function makeScrubber(data: Chart, chart: uPlotLibrary, tip: HTMLElement): HTMLInputElement {
  const last = data.x.length - 1;
  const scrubber = Object.assign(document.createElement("input"), {
    type: "range",
    className: "scrub",
    min: "0",
    max: String(last),
    step: "1",
    value: String(data.kind === "total" ? last - 1 : last),
  });
  scrubber.setAttribute("aria-label", "Walk through the chart");
  const describe = (): number => {
    const index = Number(scrubber.value);
    const words = data.series.flatMap(({ name, texts }) => (texts[index] === null ? [] : [`${name} ${texts[index]}`]));
    const sum = data.sums?.[index];
    if (sum !== undefined) words.push(`Total ${sum}`);
    scrubber.setAttribute("aria-valuetext", `${data.labels[index]}: ${words.join(", ")}`);
    return index;
  };
  const show = (): void => {
    const index = describe();
    chart.setCursor({ left: chart.valToPos(data.x[index] ?? 0, "x"), top: chart.over.clientHeight / 2 });
  };
  describe();
  scrubber.addEventListener("input", show);
  scrubber.addEventListener("focus", show);
  scrubber.addEventListener("blur", () => {
    tip.hidden = true;
    chart.setCursor(NO_CURSOR);
  });
  return scrubber;
}
