/** Reads from the usage page what it shows now, and writes to its pill and its live regions. */

type PillState = "live" | "lost";

const PAGE_ROWS = 10;
const TABLES = ["workspace", "group", "user", "runs"];

export function findPill(): HTMLElement | null {
  return document.getElementById("pill");
}

/** Whether the session has ended. The server says so in the pill, and from then on the page stays as it is. */
export function isSignedOut(): boolean {
  return findPill()?.dataset.state === "out";
}

export function setPill(state: PillState, text: string): void {
  const pill = findPill();
  if (pill === null || isSignedOut()) return;
  pill.dataset.state = state;
  // Writing the same text again would clear a selection in it.
  if (pill.textContent?.trim() !== text) pill.textContent = text;
}

/** Announces text to screen readers. The alert region interrupts what they say, the status region waits. */
export function speak(region: "status" | "alert", text: string): void {
  const element = document.getElementById(`${region}-region`);
  if (element !== null) element.textContent = text;
}

/** The ledger's sequence number of the balance on the page. */
export function shownSeq(): number {
  return Number(findAsOf()?.dataset.seq);
}

/** The time of day of the balance on the page. */
export function asOfTime(): string {
  return /\d+:\d\d:\d\d/.exec(findAsOf()?.textContent ?? "")?.[0] ?? "";
}

/** How far the copy is behind the ledger. Chart and tables are made from the copy. */
export function copyLagMs(): number {
  return Number(document.getElementById("copy-as-of")?.dataset.lag ?? 0);
}

/** Whether a part of the page says that the copy could not be read. */
export function isCopyUnreadable(): boolean {
  return document.querySelector(".unreadable") !== null;
}

/** The regions made from the copy, except tables that somebody is using. */
export function copyParts(): string[] {
  return ["chart", ...TABLES.filter(mayChange)];
}

/** False for a table under the pointer, with focus in it, or with more than one page of rows: it must not move. */
function mayChange(part: string): boolean {
  const table = document.getElementById(part === "runs" ? "runs" : `top-${part}`);
  const rows = document.getElementById(`rows-${part}`);
  if (table === null || table.matches(":hover, :focus-within")) return false;
  return rows === null || rows.childElementCount <= PAGE_ROWS;
}

function findAsOf(): HTMLElement | null {
  return document.getElementById("as-of");
}
