/** The Chromium of the tests: the one that FUELGAUGE_CHROMIUM names, else the one of the package, unpacked once. */
import { existsSync } from "node:fs";
import packedChromium from "@sparticuz/chromium";
import { type Browser, chromium } from "playwright-core";

export async function chromiumPath(): Promise<string> {
  const installed = process.env.FUELGAUGE_CHROMIUM;
  return installed && existsSync(installed) ? installed : await packedChromium.executablePath();
}

let shared: Promise<Browser> | undefined;

/**
 * The browser of this process. Test files that run one after another in a process share it, each with its own contexts,
 * because starting a browser takes longer than many tests. It ends with the process.
 */
export async function sharedBrowser(): Promise<Browser> {
  const running = await shared?.catch(() => null);
  if (!running?.isConnected()) shared = launchBrowser();
  return shared as Promise<Browser>;
}

async function launchBrowser(): Promise<Browser> {
  // A process for graphics that draw in software would only add work: without it, a page takes a sixth less time.
  const graphics = ["--disable-gpu", "--in-process-gpu", "--font-render-hinting=none", "--hide-scrollbars"];
  // Without a limit, Chromium starts a second process for each context, in case that it needs one.
  const processes = ["--no-sandbox", "--renderer-process-limit=1"];
  const args = [...processes, ...graphics];
  return chromium.launch({ executablePath: await chromiumPath(), args, headless: true });
}
