// Prints the results as a table. A row shows what both sides did, and their ratio: the median of its rounds with the
// lowest and the highest.
import type { Spread } from "./stats.ts";

/** What the median should reach. */
export type Target = { atLeast: number } | { atMost: number };

export interface Row {
  measure: string;
  against: string;
  /** What was measured on both sides, such as "2,310/s : 1,020/s". */
  sides: string;
  result: Spread | null;
  unit: "×" | "ms" | "bytes";
  target: Target | null;
}

/** Formats the rows as a table, which shows whether each target is met. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ measure, against, sides, result, unit, target }) => [
    measure,
    against,
    sides,
    result === null ? "–" : formatResult(result, unit),
    target === null ? "" : "atLeast" in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`,
    target === null || result === null ? "" : reaches(result.median, target) ? "yes" : "NO",
  ]);
  return alignedLines([["measure", "against", "measured", "result (low – high)", "target", "met"], ...cells]);
}

/** Formats the rows as the Markdown table of docs/benchmarks.md. */
export function markdownOf(rows: readonly Row[]): string {
  const lines = rows.map(({ measure, against, sides, result, unit, target }) => {
    const shown = result === null ? sides : `${formatResult(result, unit)}; ${sides}`;
    const wanted = target === null ? "" : String("atLeast" in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`);
    const met = target === null || result === null ? "" : reaches(result.median, target) ? "yes" : "no";
    return `| ${[measure, against, shown, wanted, met].join(" | ")} |`;
  });
  const heading = "| measure | against | result (lowest – highest); both sides | target | met |";
  return [heading, "|---|---|---|---|---|", ...lines].join("\n");
}

/** Formats lines of cells as a table. The first line is the heading; each column is as wide as its widest cell. */
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

/** Formats a number with about three significant digits. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function formatResult({ median, low, high }: Spread, unit: Row["unit"]): string {
  const unitAfter = unit === "×" ? "" : ` ${unit}`;
  if (low === high) return formatNumber(median) + unitAfter;
  return `${formatNumber(median)} (${formatNumber(low)} – ${formatNumber(high)})${unitAfter}`;
}
