/**
 * The parts of the Workers runtime that the simulated sources name, for the type check of plain Node: the runtime's own
 * types and Node's contradict each other in one program.
 */
interface DurableObjectState {
  storage: { setAlarm(atMs: number): void };
}

interface Env {
  DB: D1Database;
  SIGNING_SECRET: string;
  ENTERPRISE: {
    getByName(name: string): {
      addGrant(request: import("../../src/ledger/grants.ts").GrantRequest): Promise<unknown>;
    };
  };
}

interface D1PreparedStatement {
  bind(...values: unknown[]): D1PreparedStatement;
  all<T = Record<string, unknown>>(): Promise<{ results: T[] }>;
  first<T>(column: string): Promise<T | null>;
}

interface D1Database {
  prepare(statement: string): D1PreparedStatement;
  batch(statements: D1PreparedStatement[]): Promise<unknown[]>;
}

type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

declare module "crypto" {
  namespace webcrypto {
    interface SubtleCrypto {
      timingSafeEqual(a: ArrayBuffer, b: ArrayBuffer): boolean;
    }
  }
}
