/** The names of the usage kinds, as pages show them. */
import type { Kind } from "../../ledger/kinds.ts";

export const KIND_NAMES: Record<Kind, string> = {
  input: "Input",
  cache_read: "Cache read",
  cache_write: "Cache write",
  output: "Output",
  cache_write_1h: "Cache write, one hour",
  input_audio: "Audio input",
  cache_audio_read: "Audio cache read",
  output_audio: "Audio output",
  input_image: "Image input",
  cache_image_read: "Image cache read",
  output_image: "Image output",
  web_searches: "Web searches",
  storage_searches: "Storage searches",
};
