/** Unpacks Chromium before the first test file, because two files at once would start a browser that is half written. */
import { chromiumPath } from "./chromium.ts";

export default async function setup(): Promise<void> {
  await chromiumPath();
}
