/** Prevents forms from being submitted twice, and keeps the cap form's options consistent with its amount. */

export function guardForms(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || form.dataset.once === undefined) return;
    if (form.dataset.once === "sent") event.preventDefault();
    form.dataset.once = "sent";
  });

  // When the browser restores this page from its back/forward cache, its forms can be submitted again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll<HTMLFormElement>("form[data-once]")) form.dataset.once = "";
  });

  document.addEventListener("input", ({ target }) => {
    if (target instanceof HTMLInputElement) matchCapChoice(target);
  });
}

/** Selects the option "cap" when an amount is typed, and restores the amount in force when "no cap" is selected. */
function matchCapChoice(changed: HTMLInputElement): void {
  const fields = changed.closest<HTMLFormElement>("form.cap")?.elements;
  const amount = fields?.namedItem("cap");
  const choice = fields?.namedItem("limit");
  if (!(amount instanceof HTMLInputElement)) return;
  if (changed === amount && choice instanceof RadioNodeList) choice.value = "cap";
  else if (changed.value === "none") amount.value = amount.dataset.inForce ?? "";
}
