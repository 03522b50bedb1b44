// Draws a chart with uPlot, which is there when this runs. All words and ticks come with the data: nothing is formatted
// here. Colours are read from the style at each drawing, so a theme change is one redraw. The canvas is mute: a range
// input walks it with the keyboard, and the table below has every number.
const FONT = "12px system-ui, sans-serif";
const COLORS = { web: "--web", cli: "--cli", used: "--monthly", forecast: "--muted" };

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws into the plot; what was walked to or pointed at in the drawing before is so in this one. */
export function draw(data, plot, before) {
  const { clientWidth: width, clientHeight: height } = plot;
  const walked = before?.scrubber === document.activeElement ? before.scrubber.value : null;
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
  const chart = new uPlot(optionsOf(data, tip, { width, height }), [
    data.x,
    ...data.series.map(({ values }) => values),
  ]);
  chart.root.setAttribute("role", "img");
  chart.root.setAttribute("aria-label", data.summary);
  const scrubber = makeScrubber(data, chart, tip);
  plot.replaceChildren(chart.root, tip, scrubber);
  const pointed = before?.chart.cursor.left >= 0 ? { ...before.chart.cursor } : null;
  // uPlot lays itself out in a microtask; places have positions after it.
  queueMicrotask(() => {
    if (walked !== null && walked <= Number(scrubber.max)) scrubber.value = walked;
    if (walked !== null) scrubber.focus({ preventScroll: true });
    else if (pointed !== null) chart.setCursor(pointed);
  });
  const observer = new ResizeObserver(() => {
    if (plot.clientWidth > 0) chart.setSize({ width: plot.clientWidth, height: plot.clientHeight });
  });
  observer.observe(plot);
  return { chart, observer, plot, scrubber };
}

function optionsOf(data, tip, size) {
  const axis = { font: FONT, stroke: () => color("--muted"), ticks: { show: false } };
  return {
    ...size,
    padding: [10, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false, setScale: false }, points: { show: false } },
    scales: {
      x: { time: false, range: () => [data.xMin, data.xMax] },
      y: { range: () => [data.yTicks[0].at, data.yTicks.at(-1).at] },
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
        size: size.width < 480 ? 44 : 56,
        grid: { stroke: () => color("--line"), width: 1 },
        splits: () => data.yTicks.map(({ at }) => at),
        values: () => data.yTicks.map(({ label }) => label),
      },
    ],
    series: [
      {},
      ...data.series.map(({ key }) => ({
        stroke: () => color(COLORS[key]),
        width: 2,
        dash: key === "forecast" ? [6, 5] : undefined,
        fill: key === "web" || key === "used" ? () => `${color(COLORS[key])}14` : undefined,
        points: { show: false },
        spanGaps: true,
      })),
    ],
    hooks: {
      draw: [(chart) => drawLimit(chart, data)],
      drawSeries: [(chart, place) => drawPoints(chart, data, place)],
      setCursor: [(chart) => showTip(chart, data, tip)],
    },
  };
}

function drawLimit(chart, { limit }) {
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

/** Circles for Web, squares for CLI; hollow where the bucket is still running, and larger under the cursor. */
function drawPoints(chart, data, place) {
  const { key, values } = data.series[place - 1];
  if (data.kind !== "buckets" && key !== "used") return;
  const { ctx } = chart;
  ctx.save();
  ctx.strokeStyle = color(COLORS[key]);
  ctx.lineWidth = 2 * devicePixelRatio;
  values.forEach((value, i) => {
    const last = data.kind === "total" && values[i + 1] === null;
    if (value === null || (data.kind === "total" && !last)) return;
    const [x, y] = [chart.valToPos(data.x[i], "x", true), chart.valToPos(value, "y", true)];
    const size = (key === "cli" ? 3.5 : 4) * devicePixelRatio;
    ctx.fillStyle = i === data.partial ? color("--card") : color(COLORS[key]);
    ctx.beginPath();
    if (key === "cli") ctx.rect(x - size, y - size, 2 * size, 2 * size);
    else ctx.arc(x, y, size, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
  });
  ctx.restore();
}

function showTip(chart, data, tip) {
  const { idx, left } = chart.cursor;
  tip.hidden = idx === null || idx === undefined || left < 0;
  if (tip.hidden) return;
  const rows = data.series.flatMap(({ key, name, texts }) => {
    if (texts[idx] === null) return [];
    const row = document.createElement("span");
    const mark = Object.assign(document.createElement("i"), { className: `swatch ${key}` });
    row.append(mark, name, Object.assign(document.createElement("em"), { textContent: texts[idx] }));
    return [row];
  });
  const head = Object.assign(document.createElement("b"), { textContent: data.labels[idx] });
  const zone = Object.assign(document.createElement("small"), { textContent: data.timeZone });
  tip.replaceChildren(head, ...rows, zone);
  const at = chart.valToPos(data.x[idx], "x") + chart.over.offsetLeft;
  const room = chart.root.clientWidth - tip.offsetWidth;
  const beside = at + 14 > room ? at - tip.offsetWidth - 14 : at + 14;
  // Set through the style object, which the content policy allows.
  tip.style.transform = `translate(${Math.round(Math.max(0, Math.min(beside, room)))}px, 12px)`;
}

function makeScrubber(data, chart, tip) {
  const scrubber = Object.assign(document.createElement("input"), {
    type: "range",
    className: "scrub",
    min: 0,
    max: data.x.length - 1,
    step: 1,
    value: data.partial ?? data.x.length - 1,
  });
  scrubber.setAttribute("aria-label", "Walk through the chart");
  const speak = () => {
    const place = Number(scrubber.value);
    const words = data.series.flatMap(({ name, texts }) => (texts[place] === null ? [] : [`${name} ${texts[place]}`]));
    scrubber.setAttribute("aria-valuetext", `${data.labels[place]}: ${words.join(", ")}`);
    return place;
  };
  const show = () => {
    const place = speak();
    chart.setCursor({ left: chart.valToPos(data.x[place], "x"), top: chart.over.clientHeight / 2 });
  };
  speak();
  scrubber.addEventListener("input", show);
  scrubber.addEventListener("focus", show);
  scrubber.addEventListener("blur", () => {
    tip.hidden = true;
    chart.setCursor({ left: -10, top: -10 });
  });
  return scrubber;
}
