/** Warns when the object's storage is nearly full, and lists the object in the catalog for the metrics. */
import type { AtMs } from "../../ledger/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import { WARN_BYTES } from "../books/size.ts";
import type { Platform } from "../platform.ts";
import { within } from "../within.ts";

const NOTE_AGAIN_MS = 3_600_000;
const NOTE_TIMEOUT_MS = 5_000;

/** Notes the size of a large object in the catalog, once an hour, and once more when it is no longer large. */
export async function checkSize({ sql, id }: Ledger, platform: Platform): Promise<void> {
  const bytes = sql.sizeBytes();
  const nowMs: AtMs = platform.clock.realNowMs();
  const notedAtMs = getProgress(sql, "size_noted_at");
  const isLarge = bytes >= WARN_BYTES;
  if (!isLarge && notedAtMs === 0) return;
  if (isLarge && nowMs - notedAtMs < NOTE_AGAIN_MS) return;
  if (isLarge) platform.log.warn({ event: "object_nearly_full", enterprise: id, bytes });
  await within(platform.defer, NOTE_TIMEOUT_MS, platform.objectSizes.note(id, isLarge ? bytes : 0));
  setProgress(sql, "size_noted_at", isLarge ? nowMs : 0);
}
