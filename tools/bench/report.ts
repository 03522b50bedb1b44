// The table that the bench prints, row by row as QUALITY lists them, and the same as JSON. A row is a ratio with its
// median and the lowest and highest of its rounds; what both sides did is shown beside it.
import type { Spread } from "./stats.ts";

/** A figure to reach; the ratio's median is held against it. */
export type Target = { atLeast: number } | { atMost: number };

export interface Row {
  measure: string;
  against: string;
  /** What was measured on both sides, in words, such as "2,310/s : 1,020/s". */
  sides: string;
  result: Spread | null;
  unit: "×" | "ms" | "bytes";
  target: Target | null;
}

/** The rows as lines of a table; a row that misses its figure says so. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ measure, against, sides, result, unit, target }) => [
    measure,
    against,
    sides,
    result === null ? "–" : shownResult(result, unit),
    target === null ? "" : "atLeast" in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`,
    target === null || result === null ? "" : reaches(result.median, target) ? "yes" : "NO",
  ]);
  return alignedLines([["measure", "against", "measured", "result (low – high)", "to reach", "met"], ...cells]);
}

/** Lines of cells as text, the first as a heading, each column as wide as its widest cell. */
export function alignedLines(lines: readonly string[][]): string {
  const widths = (lines[0] as string[]).map((_, column) => Math.max(...lines.map((line) => lengthOf(line[column]))));
  const shown = lines.map((line) =>
    line
      .map((cell, column) => cell + " ".repeat((widths[column] as number) - lengthOf(cell)))
      .join("  ")
      .trimEnd(),
  );
  return [shown[0], widths.map((width) => "─".repeat(width)).join("  "), ...shown.slice(1)].join("\n");
}

function lengthOf(cell: string | undefined): number {
  return [...(cell ?? "")].length;
}

export function reaches(value: number, target: Target): boolean {
  return "atLeast" in target ? value >= target.atLeast : value <= target.atMost;
}

/** A number with as many digits as it deserves. */
export function shownNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function shownResult({ median, low, high }: Spread, unit: Row["unit"]): string {
  const unitAfter = unit === "×" ? "" : ` ${unit}`;
  if (low === high) return shownNumber(median) + unitAfter;
  return `${shownNumber(median)} (${shownNumber(low)} – ${shownNumber(high)})${unitAfter}`;
}
