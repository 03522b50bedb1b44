// Takes the pictures of the screens for the README and the docs from the running demo.
// Start the demo with `npm start`, then run `node tools/run.mjs demo/record-screens.ts` with OPERATOR_KEY in the
// environment. Options: --url URL --to FOLDER.
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { reportFailure } from "../kit/failures.mjs";
import { createCaller } from "../kit/http.ts";
import { parseOptions } from "../kit/options.mjs";
import { launchBrowser } from "./browser.ts";

const SETTLE_MS = 3_000;

interface Picture {
  name: string;
  theme: "light" | "dark";
  width: number;
  height: number;
  /** Who is signed in: a person of a demo enterprise, or the operator. */
  as: { enterprise: string; user: string } | "operator";
  open: (page: Page) => Promise<unknown>;
}

const LENA = { enterprise: "acme", user: "lena.vogt" };
const MARIA = { enterprise: "globex", user: "maria.gonzalez" };

const PICTURES: Picture[] = [
  {
    ...{ name: "usage", theme: "light", width: 1280, height: 1130, as: LENA },
    open: (page) => page.goto("/settings/usage?view=total"),
  },
  {
    ...{ name: "usage", theme: "dark", width: 375, height: 1430, as: LENA },
    open: (page) => page.goto("/settings/usage"),
  },
  {
    ...{ name: "model", theme: "light", width: 1280, height: 1080, as: MARIA },
    open: (page) => page.goto("/settings/model"),
  },
  {
    ...{ name: "receipt", theme: "light", width: 1280, height: 860, as: LENA },
    open: async (page) => {
      await page.goto("/settings/usage");
      await page.getByRole("link", { name: "Dearest" }).click();
      await page.waitForTimeout(SETTLE_MS);
      await page.locator("#rows-runs a").first().click();
    },
  },
  {
    ...{ name: "operator", theme: "light", width: 1280, height: 1190, as: "operator" },
    open: (page) => page.goto("/operator/enterprises/acme"),
  },
];

await main().catch(reportFailure);

async function main(): Promise<void> {
  const { values } = parseOptions("node tools/run.mjs demo/record-screens.ts", {
    options: {
      url: { type: "string", default: "http://localhost:8787" },
      to: { type: "string", default: "docs/screenshots" },
    },
  });
  const key = process.env.OPERATOR_KEY;
  if (!key) throw new Error("set OPERATOR_KEY in the environment");
  for (const picture of PICTURES) {
    const browser = await launchBrowser();
    try {
      const file = join(values.to, `${picture.name}-${picture.theme}-${picture.width}.png`);
      await take(browser, picture, values.url, key, file);
      console.log(file);
    } finally {
      await browser.close();
    }
  }
}

async function take(browser: Browser, picture: Picture, baseURL: string, key: string, path: string): Promise<void> {
  const { width, height, theme: colorScheme } = picture;
  const page = await browser.newPage({ baseURL, locale: "en-US", viewport: { width, height }, colorScheme });
  await signIn(page, picture.as, baseURL, key);
  await picture.open(page);
  await page.waitForTimeout(SETTLE_MS);
  await page.screenshot({ path });
}

async function signIn(page: Page, as: Picture["as"], baseUrl: string, key: string): Promise<void> {
  if (as === "operator") {
    await page.goto("/operator");
    await page.getByLabel("Operator key").fill(key);
  } else {
    const call = createCaller({ baseUrl, key, giveUpAfterMs: 10_000 });
    const { body } = await call("POST", `/v1/enterprises/${as.enterprise}/sessions`, { user: as.user, role: "admin" });
    await page.goto(new URL((body as { url: string }).url, baseUrl).href);
  }
  await page.locator("main button[type=submit]").click();
  await page.waitForURL((url) => !url.pathname.includes("signin"));
}
