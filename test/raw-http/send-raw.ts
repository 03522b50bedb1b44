// Sends raw bytes over TCP, for HTTP requests that no client library would send.
import { connect } from "node:net";

/** The statuses of all answers, and the last answer's type and body. `open`: the server did not close the connection. */
interface RawAnswer {
  statuses: number[];
  type: string;
  body: string;
  open: boolean;
}

/**
 * Writes the bytes and reads until the server closes the connection, at most for `waitMs`.
 * @param halfClose close our side after writing, so that the server knows that nothing more comes
 */
export function sendRaw(
  port: number,
  bytes: string | Uint8Array | Iterable<string>,
  { waitMs = 60_000, halfClose = false } = {},
): Promise<RawAnswer> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    const finish = (open: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      done(readAnswer(Buffer.concat(chunks).toString("utf8"), open));
    };
    const timer = setTimeout(() => finish(true), waitMs);
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("close", () => finish(false));
    // A server that refuses early may close the connection while we still write.
    socket.on("error", () => finish(false));
    const parts = typeof bytes === "string" || bytes instanceof Uint8Array ? [bytes] : bytes;
    for (const part of parts) if (!socket.destroyed) socket.write(part);
    if (halfClose) socket.end();
  });
}

function readAnswer(text: string, open: boolean): RawAnswer {
  const statuses = [...text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status));
  const last = text.slice(text.lastIndexOf("HTTP/1."));
  const end = last.indexOf("\r\n\r\n");
  const [, type = ""] = /^content-type: (\S+)/im.exec(last.slice(0, end)) ?? [];
  return { statuses, type, body: last.slice(end + 4), open };
}
