/** Keeps the browser's address, the page and its links consistent when htmx changes part of the page. */

/** The chart's parameters in the address, which the links of the tables have to keep. */
const CHART_PARAMETERS = ["range", "view"];
const LINK_ATTRIBUTES = ["href", "hx-get", "hx-push-url"];

export function followAddress(): void {
  // Two quick steps back can change the address while the page of the first step is still loading.
  const [navigation] = performance.getEntriesByType("navigation");
  if (history.state?.htmx && navigation?.name.split("#")[0] !== location.href.split("#")[0]) location.reload();

  document.addEventListener("htmx:after:history:update", updateTableLinks);

  // After an error the page shows what it showed before, so the address must stay the same too.
  document.addEventListener("htmx:before:history:update", (event) => {
    if (event.detail.response?.status >= 400) event.preventDefault();
  });
}

/** Copies the chart's parameters into the links of the tables, which htmx has not replaced together with the chart. */
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
