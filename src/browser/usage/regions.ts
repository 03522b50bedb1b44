/** Reads what the usage page currently shows, and writes to its pill and its live regions. */

type PillState = "live" | "lost";

const PAGE_ROWS = 10;
const TABLES = ["workspace", "group", "user", "model", "runs"];

export function findPill(): HTMLElement | null {
  return document.getElementById("pill");
}

/** Whether the page never changes any more: the session or the cycle has ended. The server says so in the pill. */
export function isSignedOut(): boolean {
  return ["out", "past"].includes(findPill()?.dataset.state ?? "");
}

export function setPill(state: PillState, text: string): void {
  const pill = findPill();
  if (pill === null || isSignedOut()) return;
  pill.dataset.state = state;
  // Writing the same text again would clear the user's selection in it.
  if (pill.textContent?.trim() !== text) pill.textContent = text;
}

/** Announces text to screen readers. The alert region interrupts their speech; the status region waits for its end. */
export function speak(region: "status" | "alert", text: string): void {
  const element = document.getElementById(`${region}-region`);
  if (element !== null) element.textContent = text;
}

/** Returns the ledger's sequence number of the balance on the page. */
export function shownSeq(): number {
  return Number(findAsOf()?.dataset.seq);
}

/** Returns the time of day of the balance on the page, as text. */
export function asOfTime(): string {
  return /\d+:\d\d:\d\d/.exec(findAsOf()?.textContent ?? "")?.[0] ?? "";
}

/** Returns how far the copy, which the chart and the tables show, is behind the ledger. */
export function copyLagMs(): number {
  return Number(document.getElementById("copy-as-of")?.dataset.lag ?? 0);
}

/** Whether any region of the page shows that the copy could not be read. */
export function isCopyUnreadable(): boolean {
  return document.querySelector(".unreadable") !== null;
}

/** Returns the regions that show the copy, except tables that somebody is using. */
export function copyParts(): string[] {
  return ["selection", "chart", ...TABLES.filter(mayChange)];
}

/**
 * Whether a table may be replaced. A table must not move while it is under the pointer, has the focus, or shows more
 * than one page of rows.
 */
function mayChange(part: string): boolean {
  const table = document.getElementById(part === "runs" ? "runs" : `top-${part}`);
  const rows = document.getElementById(`rows-${part}`);
  if (table === null || table.matches(":hover, :focus-within")) return false;
  return rows === null || rows.childElementCount <= PAGE_ROWS;
}

function findAsOf(): HTMLElement | null {
  return document.getElementById("as-of");
}
