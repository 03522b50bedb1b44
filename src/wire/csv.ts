/** Cells of CSV files (RFC 4180) that spreadsheets can open safely. */

/** Formats one cell. Puts an apostrophe in front of text that starts like a formula. */
export function csvCell(value: string | number | boolean | string[] | null): string {
  if (value === null) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text = Array.isArray(value) ? value.join(" ") : value;
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
