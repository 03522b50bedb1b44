/** Copies a key, link or id to the clipboard. Without this script, one click selects the whole text. */

const COPIED_MS = 2_000;

export function copyOnClick(): void {
  document.addEventListener("click", async ({ target }) => {
    const button = target instanceof Element ? target.closest<HTMLButtonElement>("button[data-copy]") : null;
    const source = document.getElementById(button?.dataset.copy ?? "");
    if (button === null || source === null) return;
    const copied = await copy(source);
    button.textContent = copied ? "Copied" : "Selected";
    const region = document.getElementById("status-region");
    if (region !== null) region.textContent = copied ? "Copied." : "Selected. Press Ctrl+C to copy it.";
    setTimeout(() => {
      button.textContent = "Copy";
      if (region !== null) region.textContent = "";
    }, COPIED_MS);
  });
}

/** Returns false if the browser does not permit it. Then the text is selected, so that the reader can copy it. */
async function copy(source: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText((source.textContent ?? "").trim());
    return true;
  } catch {
    getSelection()?.selectAllChildren(source);
    return false;
  }
}
