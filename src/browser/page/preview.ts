/** Gives the usage bars of a preview their token. The bars are defined by another script, which may run later. */
export function previewBars(): void {
  for (const bar of document.querySelectorAll<HTMLElement & { getToken?: () => Promise<string> }>(
    "usage-bar[data-token]",
  )) {
    const token = bar.dataset.token ?? "";
    delete bar.dataset.token;
    bar.getToken = async () => token;
  }
}
