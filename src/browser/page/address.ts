/** Keeps the browser's address, the page and its links consistent when htmx changes part of the page. */

/** The URL parameters that select the chart. The links in the tables must keep them. */
const CHART_PARAMETERS = ["range", "view"];
const LINK_ATTRIBUTES = ["href", "hx-get", "hx-push-url"];

export function followAddress(): void {
  // Going back twice quickly can change the address while the first page is still loading. Reload then, so that the
  // page matches the address.
  const [navigation] = performance.getEntriesByType("navigation");
  if (history.state?.htmx && navigation?.name.split("#")[0] !== location.href.split("#")[0]) location.reload();

  document.addEventListener("htmx:after:history:update", updateTableLinks);

  // After an error, htmx leaves the page as it was, so the address must not change either.
  document.addEventListener("htmx:before:history:update", (event) => {
    if (event.detail.response?.status >= 400) event.preventDefault();
  });
}

/** Copies the chart's parameters into the links of the tables, because htmx replaces the chart without the tables. */
function updateTableLinks(): void {
  const now = new URLSearchParams(location.search);
  for (const link of document.querySelectorAll(".table a")) {
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
