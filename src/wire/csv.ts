/** CSV files (RFC 4180): cells that spreadsheets can open safely, and lines that are sent one after another. */

/**
 * Where a spreadsheet would find a formula: at the start of a cell, and behind a semicolon, which separates cells where the
 * comma is the decimal sign. Spaces and quotes may come first, and the full-width characters count too.
 */
const FORMULA = /(^|;)(?=[\s"']*[=+\-@＝＋－＠]|[\t\r])/g;

/** Formats one cell. Puts an apostrophe in front of each text that starts like a formula. */
export function csvCell(value: string | number | boolean | string[] | null): string {
  if (value === null) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = Array.isArray(value) ? value.join(" ") : value;
  const safe = text.replaceAll(FORMULA, "$1'");
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * Sends lines as the reader takes them. An error aborts the transfer, so that an incomplete file cannot look complete.
 *
 * @param first the first line, read before the response starts, so that a copy that cannot be read is still a problem
 */
export function streamLines(first: IteratorResult<string>, lines: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let read: IteratorResult<string> | null = first;
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = read ?? (await lines.next());
      read = null;
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await lines.return(undefined);
    },
  });
}
