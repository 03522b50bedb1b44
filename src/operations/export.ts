/**
 * Streams an export of one enterprise as NDJSON, page by page from its object. The last line is `{next}`. An export that
 * is cut off has no such line, so it cannot look complete.
 */
import type { Denied } from "../access/refusals.ts";
import type { Address } from "../catalog/addresses.ts";
import type { ExportPage } from "../enterprise/data/export.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import { type ExportCursor, type ExportKind, encodeExportCursor } from "../wire/export.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

type ExportRequest = { kind: ExportKind; cursor: ExportCursor | null; maxRows: number };

/** Returns the export as a stream, or the refusal of its first page. */
export async function exportRows(
  env: Env,
  address: Address,
  { kind, cursor, maxRows }: ExportRequest,
): Promise<ReadableStream<Uint8Array> | Refused | Denied> {
  const read = async (from: ExportCursor | null, rows: number): Promise<ExportPage | Refused | Denied> =>
    enterpriseStub(env, address).exportPage(kind, from, rows);
  const first = await read(cursor, maxRows);
  return isRefusal(first) ? first : streamOf(pages(first, maxRows, read));
}

/** Yields the lines of each page, and last the line `{next}`. */
async function* pages(
  first: ExportPage,
  maxRows: number,
  read: (from: ExportCursor, rows: number) => Promise<ExportPage | Refused | Denied>,
): AsyncGenerator<string> {
  let page = first;
  for (let rows = 0; ; ) {
    rows += page.lines.length;
    if (page.lines.length > 0) yield page.lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    if (page.ended || rows === maxRows) break;
    const next = await read(page.next, maxRows - rows);
    if (isRefusal(next)) throw new Error(`the export was refused: ${next.refusal.code}`);
    page = next;
  }
  yield `${JSON.stringify({ next: page.ended ? null : encodeExportCursor(page.next) })}\n`;
}

/** Reads pages as the client consumes them. An error aborts the transfer. */
function streamOf(texts: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = await texts.next();
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await texts.return(undefined);
    },
  });
}
