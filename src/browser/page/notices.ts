/** Announces the page's notices to screen readers, and shows times in the reader's time zone. */

/** Screen readers announce only changes of a live region, so they need time to see it empty. */
const EMPTY_MS = 300;

export function speakNotices(): void {
  // A reload should not show the notice again.
  if (location.search === "?saved") history.replaceState(history.state, "", location.pathname);
  for (const notice of document.querySelectorAll<HTMLElement>("[data-announce]")) {
    const region = document.getElementById(`${notice.dataset.announce}-region`);
    if (region !== null) setTimeout(() => region.append(notice.textContent ?? ""), EMPTY_MS);
  }
}

/** The server prints times in the enterprise's time zone. Their tooltips show them in the reader's time zone. */
export function describeTimes(): void {
  document.addEventListener("pointerover", ({ target }) => {
    const time = target instanceof Element ? target.closest<HTMLTimeElement>("time[datetime]") : null;
    if (time === null || time.title !== "") return;
    time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  });
}
