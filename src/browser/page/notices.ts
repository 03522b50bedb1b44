/** Notices for people who hear the page instead of seeing it, and times for readers in other time zones. */

/** Screen readers announce a change of a live region only after they have seen the region empty. */
const EMPTY_MS = 300;

export function speakNotices(): void {
  // The notice is on the page now; a reload should not show it again.
  if (location.search === "?saved") history.replaceState(history.state, "", location.pathname);
  for (const notice of document.querySelectorAll<HTMLElement>("[data-announce]")) {
    const region = document.getElementById(`${notice.dataset.announce}-region`);
    if (region !== null) setTimeout(() => region.append(notice.textContent ?? ""), EMPTY_MS);
  }
}

/** The server prints times in the enterprise's time zone; the tooltip of each shows it in the reader's. */
export function describeTimes(): void {
  document.addEventListener("pointerover", ({ target }) => {
    const time = target instanceof Element ? target.closest<HTMLTimeElement>("time[datetime]") : null;
    if (time === null || time.title !== "") return;
    time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  });
}
