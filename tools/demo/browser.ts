// Starts the browser that takes the pictures of the documentation.
import packedChromium from "@sparticuz/chromium";
import { type Browser, chromium } from "playwright-core";

/** Launches Chromium: the one that FUELGAUGE_CHROMIUM names, or the one that the tests use. */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = process.env.FUELGAUGE_CHROMIUM ?? (await packedChromium.executablePath());
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}
