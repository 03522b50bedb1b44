/**
 * The chart as drawn by the server: shown without JavaScript, on paper, and until the script has drawn its own. The
 * lines stretch with the box but strokes and points keep their size, so one drawing fits every width.
 */
import type { FC } from "hono/jsx";
import type { Chart, ChartSeries } from "./chart-shape.ts";

const WIDTH = 1000;
const HEIGHT = 100;

export const StaticChart: FC<{ chart: Chart }> = ({ chart }) => {
  const scale = scaleOf(chart);
  return (
    <div class="sketch" role="img" aria-label={chart.summary}>
      <div class="y-axis" aria-hidden="true">
        {chart.yTicks.toReversed().map(({ label }) => (
          <span>{label}</span>
        ))}
      </div>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
        {chart.yTicks.map(({ at }) => (
          <path class="grid" d={`M0 ${scale.y(at)}H${WIDTH}`} />
        ))}
        {chart.marks.map(({ at }) => (
          <path class="mark" d={`M${scale.x(at)} 0V${HEIGHT}`} />
        ))}
        {chart.limit !== null && <path class="limit" d={`M0 ${scale.y(chart.limit.at)}H${WIDTH}`} />}
        {chart.series.map((series) => (
          <>
            {(series.key === "web" || series.key === "used") && (
              <path class={`area ${series.key}`} d={areaOf(chart, series, scale)} />
            )}
            <path class={`line ${series.key}`} d={lineOf(chart, series, scale)} />
            {series.key === "used" && (
              <path class="points used" d={pointsOf(chart, series, scale, [newestOf(series)])} />
            )}
            {chart.kind === "buckets" && (
              <>
                <path class={`points ${series.key}`} d={pointsOf(chart, series, scale)} />
                <path class={`points hollow ${series.key}`} d={pointsOf(chart, series, scale, chart.partial)} />
              </>
            )}
          </>
        ))}
      </svg>
      <div class="x-axis" aria-hidden="true">
        <svg width="100%" height="34">
          {chart.xTicks.map(({ at, label }) => {
            const x = `${round(((at - chart.xMin) / (chart.xMax - chart.xMin)) * 100)}%`;
            return (
              <text x={x} y="14">
                {label.split("\n").map((line, i) => (
                  <tspan x={x} dy={i === 0 ? undefined : 14}>
                    {line}
                  </tspan>
                ))}
              </text>
            );
          })}
        </svg>
      </div>
    </div>
  );
};

type Scale = { x(at: number): number; y(at: number): number };

function scaleOf(chart: Chart): Scale {
  const low = chart.yTicks[0]?.at ?? 0;
  const high = chart.yTicks.at(-1)?.at ?? 1;
  return {
    x: (at) => round(((at - chart.xMin) / (chart.xMax - chart.xMin)) * WIDTH),
    y: (at) => round(HEIGHT - ((at - low) / (high - low)) * HEIGHT),
  };
}

function lineOf(chart: Chart, series: ChartSeries, scale: Scale): string {
  return coordinatesOf(chart, series, scale)
    .map(([x, y], i) => `${i === 0 ? "M" : "L"}${x} ${y}`)
    .join("");
}

/** The area between the line and zero. */
function areaOf(chart: Chart, series: ChartSeries, scale: Scale): string {
  const points = coordinatesOf(chart, series, scale);
  return points[0] === undefined ? "" : `${lineOf(chart, series, scale)}V${scale.y(0)}H${points[0][0]}Z`;
}

/** The index of the last point before the forecast. */
function newestOf({ values }: ChartSeries): number {
  return values.findLastIndex((value) => value !== null);
}

/**
 * Lines of length zero: their round or square caps are drawn as the points. `only` names the points of incomplete
 * buckets: they are drawn again, smaller and in the colour of the card, so that they look hollow.
 */
function pointsOf(chart: Chart, series: ChartSeries, scale: Scale, only?: readonly number[]): string {
  return coordinatesOf(chart, series, scale)
    .filter((_, i) => only === undefined || only.includes(i))
    .map(([x, y]) => `M${x} ${y}h0`)
    .join("");
}

function coordinatesOf(chart: Chart, { values }: ChartSeries, scale: Scale): [number, number][] {
  return values.flatMap((value, i) => (value === null ? [] : [[scale.x(chart.x[i] ?? 0), scale.y(value)]]));
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
