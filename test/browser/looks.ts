/** What is wrong with how a page looks: axe's rules of accessibility, and elements that are wider than the screen. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { savePicture } from "./site.ts";

/** The rules of axe, which its own source has twice as long. */
const AXE = readFileSync(
  createRequire(import.meta.resolve("@axe-core/playwright")).resolve("axe-core/axe.min.js"),
  "utf8",
);

/**
 * The rules whose outcome depends on the theme or on the width: about colours, about areas that scroll, and about the names
 * of controls, whose texts may be hidden at some widths.
 */
const RULES_OF_LOOKS = [
  "color-contrast",
  "link-in-text-block",
  "scrollable-region-focusable",
  "aria-hidden-focus",
  "link-name",
  "button-name",
  "label",
  "select-name",
  "summary-name",
];

/**
 * Violations of accessibility rules, each with the rule and the element.
 * @param rules "looks": only what depends on theme and width, for a page whose markup was checked before. "colours": only
 * what depends on the theme, for a page that was checked at the same width.
 */
export async function axeViolations(page: Page, rules: "all" | "looks" | "colours" = "all"): Promise<string[]> {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(AXE);
  const runOnly = { all: null, looks: RULES_OF_LOOKS, colours: RULES_OF_LOOKS.slice(0, 2) }[rules];
  // Calls axe itself: its library for Playwright sends its source to the page again for each check. Describing the elements
  // that pass, and loading the styles and media for rules that need neither here, would take longer than checking.
  return page.evaluate(
    async (options) => {
      const { violations } = (await Reflect.get(window, "axe").run(document, options)) as Results;
      return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(" ")}`));
    },
    { reporter: "no-passes", preload: false, ...(runOnly === null ? {} : { runOnly }) },
  );
}

type Results = { violations: { id: string; nodes: { target: string[] }[] }[] };

/** The elements that are wider than the screen. Waits some frames, because the chart resizes with a delay. */
export async function overflowingElements(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const width = document.documentElement.clientWidth;
    const find = () => {
      const wide = [...document.querySelectorAll("main *")]
        .filter((element) => element.closest(".scroll, .unseen, svg, thead") === null)
        .filter((element) => element.getBoundingClientRect().right > width + 0.5)
        .map((element) => `${element.tagName}.${element.className} in #${element.closest("[id]")?.id}`);
      // A long text may be wider than its element.
      const scrolls = document.documentElement.scrollWidth > width;
      return wide.length === 0 && scrolls ? [`the page: ${document.documentElement.scrollWidth} pixels`] : wide;
    };
    for (let frame = 0; frame < 180 && find().length > 0; frame++) await new Promise(requestAnimationFrame);
    return find();
  });
}

/**
 * What is wrong with a page: all rules of axe once, and in both themes at each size what is too wide and the rules that
 * depend on theme and size. Takes its pictures if they are wanted, and leaves the page light.
 */
export async function faultsOf(page: Page, name: string, sizes: { width: number; height: number }[]) {
  await page.waitForLoadState();
  const faults: string[] = [];
  let rules: "all" | "looks" = "all";
  for (const theme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    for (const size of sizes.toReversed()) {
      await page.setViewportSize(size);
      const found = [...(await overflowingElements(page)), ...(await axeViolations(page, rules))];
      faults.push(...found.map((fault) => `${theme}, ${size.width}: ${fault}`));
      rules = "looks";
      await savePicture(page, `${name}-${theme}-${size.width}`);
    }
  }
  return faults;
}
