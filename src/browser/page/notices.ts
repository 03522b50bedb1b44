/** Announces the page's notices to screen readers, and shows times in the reader's time zone. */

/**
 * The delay before text is added to a live region. Screen readers announce only changes, so they must see it empty
 * first.
 */
const EMPTY_MS = 300;

export function speakNotices(): void {
  // Remove `?saved` from the address, so that a reload does not show the notice again.
  if (location.search === "?saved") history.replaceState(history.state, "", location.pathname);
  for (const notice of document.querySelectorAll<HTMLElement>("[data-announce]")) {
    const region = document.getElementById(`${notice.dataset.announce}-region`);
    if (region !== null) setTimeout(() => region.append(notice.textContent ?? ""), EMPTY_MS);
  }
}

/** Adds tooltips that show times in the reader's time zone. The server prints times in the enterprise's time zone. */
export function describeTimes(): void {
  document.addEventListener("pointerover", ({ target }) => {
    const time = target instanceof Element ? target.closest<HTMLTimeElement>("time[datetime]") : null;
    if (time === null || time.title !== "") return;
    time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  });
}
