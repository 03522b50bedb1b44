/**
 * A chart as plain data: what is drawn, and every word beside it. The server renders it into the page, and the browser's
 * script draws from it. Amounts are whole or fractional units, not micros: a drawing needs no more precision.
 */

export type ChartSeries = {
  key: "web" | "cli" | "used" | "forecast";
  name: string;
  values: (number | null)[];
  texts: (string | null)[];
};

export type Tick = { at: number; label: string };

export type Chart = {
  kind: "buckets" | "total";
  x: number[];
  xMin: number;
  xMax: number;
  /** The full name of each point, such as "Mon 23 Nov (so far)". */
  labels: string[];
  xTicks: Tick[];
  yTicks: Tick[];
  series: ChartSeries[];
  /** The index of the bucket that is not over yet; null if there is none. */
  partial: number | null;
  limit: Tick | null;
  summary: string;
  columns: string;
  /** The time zone of all labels. */
  timeZone: string;
};
