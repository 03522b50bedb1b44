/** Limits how long the catalog waits for a call of another object. The call itself may still arrive later. */
export async function within<T>(limitMs: number, call: () => Promise<T>): Promise<T> {
  const { promise: timeout, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no response within ${limitMs} ms`)), limitMs);
  return Promise.race([call(), timeout]).finally(() => clearTimeout(timer));
}
