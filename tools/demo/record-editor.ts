// Records the demo editor while agents run, for the README: an animated PNG of its header, in which the usage bar moves.
// Start the demo with `npm start`, then run `node tools/run.mjs demo/record-editor.ts`. Options: --editor URL --to FILE.
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { reportFailure } from "../kit/failures.mjs";
import { parseOptions } from "../kit/options.mjs";
import { launchBrowser } from "./browser.ts";

const VIEWPORT = { width: 960, height: 1_000 };
const AGENTS = 6;
const FRAME_MS = 600;
const FRAMES = 26;
const LAST_FRAME_MS = 2_500;
const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");

type Frame = { png: Buffer; shownMs: number };

await main().catch(reportFailure);

async function main(): Promise<void> {
  const { values } = parseOptions("node tools/run.mjs demo/record-editor.ts", {
    options: {
      editor: { type: "string", default: "http://localhost:8788/?enterprise=initech" },
      to: { type: "string", default: "docs/screenshots/editor-bar.png" },
    },
  });
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ locale: "en-US", viewport: VIEWPORT });
    await page.goto(values.editor);
    await page
      .getByText(/ of [\d,]+ credits/)
      .first()
      .waitFor();
    await page.getByLabel("Refactor everything").check();
    const frames: Frame[] = [];
    for (let i = 0; i < FRAMES; i++) {
      if (i > 0 && i <= AGENTS) await page.getByRole("button", { name: "Run the agent" }).click();
      const png = await page.locator("header").screenshot();
      const last = frames.at(-1);
      if (last?.png.equals(png)) last.shownMs += FRAME_MS;
      else frames.push({ png, shownMs: FRAME_MS });
      await sleep(FRAME_MS);
    }
    (frames.at(-1) as Frame).shownMs += LAST_FRAME_MS;
    await writeFile(values.to, animate(frames));
    console.log(`${values.to}: ${frames.length} frames`);
  } finally {
    await browser.close();
  }
}

/** Joins images of the same size into one animated PNG, which repeats for ever. */
function animate(frames: readonly Frame[]): Buffer {
  const [first] = frames as [Frame, ...Frame[]];
  let sequence = 0;
  const parts = frames.flatMap(({ png, shownMs }, i) => {
    const control = Buffer.alloc(26);
    control.writeUInt32BE(sequence++, 0);
    // The size is the whole image, and the place is its corner.
    chunkOf(first.png, "IHDR").copy(control, 4, 0, 8);
    control.writeUInt16BE(shownMs, 20);
    control.writeUInt16BE(1_000, 22);
    const data = dataOf(png);
    if (i === 0) return [chunk("fcTL", control), chunk("IDAT", data)];
    const numbered = Buffer.alloc(4);
    numbered.writeUInt32BE(sequence++, 0);
    return [chunk("fcTL", control), chunk("fdAT", Buffer.concat([numbered, data]))];
  });
  const animation = Buffer.alloc(8);
  animation.writeUInt32BE(frames.length, 0);
  const head = [SIGNATURE, chunk("IHDR", chunkOf(first.png, "IHDR")), chunk("acTL", animation)];
  return Buffer.concat([...head, ...parts, chunk("IEND", Buffer.alloc(0))]);
}

function dataOf(png: Buffer): Buffer {
  return Buffer.concat(chunksOf(png).flatMap(({ type, data }) => (type === "IDAT" ? [data] : [])));
}

function chunkOf(png: Buffer, type: string): Buffer {
  const found = chunksOf(png).find((candidate) => candidate.type === type);
  if (found === undefined) throw new Error(`the image has no ${type}`);
  return found.data;
}

function chunksOf(png: Buffer): { type: string; data: Buffer }[] {
  const chunks: { type: string; data: Buffer }[] = [];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    chunks.push({ type: png.toString("latin1", at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const ends = Buffer.alloc(4);
  const starts = Buffer.alloc(4);
  starts.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 0);
  return Buffer.concat([starts, body, ends]);
}
