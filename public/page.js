// Small manners of every page; each page is complete without them.
(() => {
  const root = document.documentElement;
  root.dataset.script = "";
  const TOAST_MS = 8_000;

  // Going back twice at once moves the address while the page of the first step is still on its way.
  const [navigation] = performance.getEntriesByType("navigation");
  if (history.state?.htmx && navigation?.name.split("#")[0] !== location.href.split("#")[0]) location.reload();

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (target?.closest("[data-print]")) window.print();
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(target) || target?.closest("a, button")) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });

  // Times are the enterprise's; resting on one tells it in the reader's own zone.
  document.addEventListener("pointerover", ({ target }) => {
    const time = target instanceof Element ? target.closest("time[datetime]") : null;
    if (time === null || time.title !== "") return;
    time.title = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  });

  // A form that was sent is not sent again by a second click.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.dataset.once === undefined) return;
    if (form.dataset.once === "sent") event.preventDefault();
    form.dataset.once = "sent";
  });

  // Coming back to a page that the browser has kept, its forms can be sent anew.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-once]")) form.dataset.once = "";
  });

  // Writing an amount chooses it; choosing no cap takes back what was written.
  document.addEventListener("input", ({ target }) => {
    const cap = target.closest("form.cap")?.elements.namedItem("cap");
    if (!cap) return;
    if (target === cap) cap.form.elements.namedItem("limit").value = "cap";
    else if (target.value === "none") cap.value = cap.dataset.inForce;
  });

  // A toggle changes the address and the chart; the links of the tables take it over, as if they were drawn with it.
  document.addEventListener("htmx:after:history:update", () => {
    const now = new URLSearchParams(location.search);
    for (const link of document.querySelectorAll(".table a[hx-get]")) {
      for (const name of ["href", "hx-get", "hx-push-url"]) {
        if (!link.hasAttribute(name)) continue;
        const url = new URL(link.getAttribute(name), location.origin);
        for (const key of ["range", "view"]) {
          if (now.has(key)) url.searchParams.set(key, now.get(key));
          else url.searchParams.delete(key);
        }
        link.setAttribute(name, url.pathname + url.search);
      }
    }
  });

  // A link that could not be followed in place says so, and the address stays that of what is shown.
  const alertRegion = document.getElementById("alert-region");
  let toastTimer;

  function failed({ target }) {
    if (!target.matches?.("a[hx-get]") || alertRegion === null) return;
    alertRegion.textContent = "This could not be loaded. Try again in a moment.";
    alertRegion.className = "toast";
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => {
      alertRegion.className = "unseen";
      alertRegion.textContent = "";
    }, TOAST_MS);
  }

  document.addEventListener("htmx:error", failed);
  document.addEventListener("htmx:response:error", (event) => {
    if (event.detail.ctx.response.status >= 500) failed(event);
  });
  document.addEventListener("htmx:before:history:update", (event) => {
    if (event.detail.response?.status >= 400) event.preventDefault();
  });

  // A notice stands on the page already; the live regions only speak it, after they have been seen empty.
  if (location.search === "?saved") history.replaceState(history.state, "", location.pathname);
  for (const notice of document.querySelectorAll("[data-announce]")) {
    const region = document.getElementById(`${notice.dataset.announce}-region`);
    if (region !== null) setTimeout(() => region.append(notice.textContent ?? ""), 300);
  }
})();
