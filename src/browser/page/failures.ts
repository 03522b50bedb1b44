/** Shows a message when htmx cannot load the target of a link. htmx itself shows no message. */

const TOAST_MS = 8_000;
let hideTimer: ReturnType<typeof setTimeout> | undefined;

export function reportFailedLinks(): void {
  document.addEventListener("htmx:error", ({ target }) => showToast(target));
  document.addEventListener("htmx:response:error", ({ target, detail }) => {
    if ((detail.ctx.response?.status ?? 0) >= 500) showToast(target);
  });
}

function showToast(source: EventTarget | null): void {
  const region = document.getElementById("alert-region");
  if (region === null || !(source instanceof Element) || !source.matches("a[hx-get]")) return;
  region.textContent = "This could not be loaded. Try again in a moment.";
  region.className = "toast";
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => {
    region.className = "unseen";
    region.textContent = "";
  }, TOAST_MS);
}
