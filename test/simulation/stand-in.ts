/**
 * While a world runs, its platform stands in for the machine's: the clock, the network's fetch, the log, and the two
 * calls of WebCrypto that answer from another thread, at a moment that no seed decides.
 */
export type Machine = { nowMs(): number; fetch(webhookId: string): Promise<Response>; log(line: string): void };

/** Puts the stand-ins in place; gives back what takes them away. */
export function standIn(machine: Machine): () => void {
  const { fetch } = globalThis;
  const { now } = Date;
  const { error, warn } = console;
  globalThis.fetch = (_to, init) => machine.fetch(new Headers(init?.headers).get("webhook-id") ?? "");
  Date.now = () => machine.nowMs();
  console.error = (line: unknown) => machine.log(String(line));
  console.warn = console.error;
  const { subtle } = globalThis.crypto;
  Object.defineProperty(subtle, "sign", { value: async () => new ArrayBuffer(32), configurable: true });
  Object.defineProperty(subtle, "importKey", { value: async () => ({}), configurable: true });
  return () => {
    globalThis.fetch = fetch;
    Date.now = now;
    console.error = error;
    console.warn = warn;
    Reflect.deleteProperty(subtle, "sign");
    Reflect.deleteProperty(subtle, "importKey");
  };
}
