/** Limits how long the object waits for a call that leaves it. The call itself may still arrive later. */
import type { Defer } from "./platform.ts";

export async function within<T>(defer: Defer, limitMs: number, call: Promise<T>): Promise<T> {
  let cancel: unknown;
  const timeout = new Promise<never>((_, reject) => {
    cancel = defer(() => reject(new Error(`no response within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([call, timeout]);
  } finally {
    if (typeof cancel === "function") cancel();
  }
}
