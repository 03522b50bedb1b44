/** Makes the folder of the Worker's bundle, which the tests of one run share (see built-worker.ts), and removes it at the end. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

export default function setup(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), "fuelgauge-bundle-"));
  project.provide("bundleFolder", folder);
  return () => rmSync(folder, { recursive: true });
}
