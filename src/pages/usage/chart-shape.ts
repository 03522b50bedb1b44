/**
 * The data of a chart, including all its text. The server writes it into the page, and the browser's script draws it.
 * Amounts are in credits or dollars rather than micros, which is precise enough for drawing.
 */

export type ChartSeries = {
  key: "web" | "cli" | "used" | "forecast" | "previous";
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
  /** What the series of each point add up to; null if they are not parts of a sum. */
  sums: string[] | null;
  /** The indexes of incomplete buckets: the current one, and a first one that the window cuts. */
  partial: number[];
  limit: Tick | null;
  /** Resets, grants and changes of the cap within the window, oldest first. */
  marks: Tick[];
  summary: string;
  columns: string;
  /** The time zone of all labels. */
  timeZone: string;
};
