/**
 * Unpacks Chromium before the first test file, because two files at once would start a browser that is half written. It
 * stays on the disk for the next run.
 */
import process from "node:process";
import { onDiskInstead } from "../support/memory-folder.ts";
import { chromiumPath } from "./chromium.ts";

export default async function setup(): Promise<void> {
  process.env.FUELGAUGE_CHROMIUM = await onDiskInstead(chromiumPath);
}
