/** Keeps the page, its links and the browser's address in step when htmx changes a part of the page. */

/** What the chart's toggles change in the address; the tables' links carry it along. */
const CHART_PARAMETERS = ["range", "view"];
const LINK_ATTRIBUTES = ["href", "hx-get", "hx-push-url"];

export function followAddress(): void {
  // Two quick steps back can change the address while the page of the first step is still loading.
  const [navigation] = performance.getEntriesByType("navigation");
  if (history.state?.htmx && navigation?.name.split("#")[0] !== location.href.split("#")[0]) location.reload();

  document.addEventListener("htmx:after:history:update", updateTableLinks);

  // The address stays that of what the page shows, unless the new content has arrived.
  document.addEventListener("htmx:before:history:update", (event) => {
    if (event.detail.response?.status >= 400) event.preventDefault();
  });
}

/** The server would render the tables' links with the chart's new parameters, but htmx replaces only the chart. */
function updateTableLinks(): void {
  const now = new URLSearchParams(location.search);
  for (const link of document.querySelectorAll(".table a[hx-get]")) {
    for (const name of LINK_ATTRIBUTES) {
      const value = link.getAttribute(name);
      if (value === null) continue;
      const url = new URL(value, location.origin);
      for (const parameter of CHART_PARAMETERS) {
        const current = now.get(parameter);
        if (current === null) url.searchParams.delete(parameter);
        else url.searchParams.set(parameter, current);
      }
      link.setAttribute(name, url.pathname + url.search);
    }
  }
}
