/** What the usage page shows at this moment, read from the page itself, and the two places that scripts write to. */

type PillState = "live" | "lost";

const PAGE_ROWS = 10;
const TABLES = ["workspace", "group", "user", "runs"];

export function findPill(): HTMLElement | null {
  return document.getElementById("pill");
}

/** The server says in the pill that the session has ended. From then on the page stays as it is. */
export function isSignedOut(): boolean {
  return findPill()?.dataset.state === "out";
}

export function setPill(state: PillState, text: string): void {
  const pill = findPill();
  if (pill === null || isSignedOut()) return;
  pill.dataset.state = state;
  // Writing the same text again would drop a selection in it.
  if (pill.textContent?.trim() !== text) pill.textContent = text;
}

/** Screen readers announce the text: politely in the status region, at once in the alert region. */
export function speak(region: "status" | "alert", text: string): void {
  const element = document.getElementById(`${region}-region`);
  if (element !== null) element.textContent = text;
}

/** The ledger's sequence number that the balance on the page belongs to. */
export function shownSeq(): number {
  return Number(findAsOf()?.dataset.seq);
}

/** The time of day that the balance on the page is from. */
export function asOfTime(): string {
  return /\d+:\d\d:\d\d/.exec(findAsOf()?.textContent ?? "")?.[0] ?? "";
}

/** How far the copy, from which chart and tables are made, is behind the ledger. */
export function copyLagMs(): number {
  return Number(document.getElementById("copy-as-of")?.dataset.lag ?? 0);
}

/** Part of the page says that the copy could not be read. */
export function isCopyUnreadable(): boolean {
  return document.querySelector(".unreadable") !== null;
}

/** The regions made from the copy, without the tables that somebody is using. */
export function copyParts(): string[] {
  return ["chart", ...TABLES.filter(mayChange)];
}

/** A table under the pointer, with focus in it, or with more than one page of rows keeps its rows where they are. */
function mayChange(part: string): boolean {
  const table = document.getElementById(part === "runs" ? "runs" : `top-${part}`);
  const rows = document.getElementById(`rows-${part}`);
  if (table === null || table.matches(":hover, :focus-within")) return false;
  return rows === null || rows.childElementCount <= PAGE_ROWS;
}

function findAsOf(): HTMLElement | null {
  return document.getElementById("as-of");
}
