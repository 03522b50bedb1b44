/** Limits how long the object waits for a call that leaves it. The call itself may still arrive later. */
import type { Defer } from "./platform.ts";

export function within<T>(defer: Defer, limitMs: number, call: Promise<T>): Promise<T> {
  const timeout = new Promise<never>((_, reject) => {
    defer(() => reject(new Error(`no response within ${limitMs} ms`)), limitMs);
  });
  return Promise.race([call, timeout]);
}
