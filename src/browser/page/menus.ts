/**
 * Closes menus on Escape, after a click elsewhere and after a choice. Menus are `<details>` elements, which browsers
 * leave open. Also prints the page when somebody chooses this in a menu.
 */

export function closeMenus(): void {
  document.addEventListener("click", ({ target }) => {
    const clicked = target instanceof Element ? target : null;
    if (clicked?.closest("[data-print]")) window.print();
    for (const menu of openMenus()) {
      if (!menu.contains(clicked) || clicked?.closest("a, button")) menu.open = false;
    }
  });

  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    for (const menu of openMenus()) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
}

function openMenus(): NodeListOf<HTMLDetailsElement> {
  return document.querySelectorAll<HTMLDetailsElement>("details.menu[open]");
}
