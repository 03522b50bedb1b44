// Small manners of every page; each page is complete without them.
(() => {
  const root = document.documentElement;
  root.dataset.script = "";

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

  // A notice stands on the page already; the live regions only speak it, after they have been seen empty.
  for (const notice of document.querySelectorAll("[data-announce]")) {
    const region = document.getElementById(`${notice.dataset.announce}-region`);
    if (region !== null) setTimeout(() => region.append(notice.textContent ?? ""), 300);
  }
})();
