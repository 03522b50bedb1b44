// Finds a PostgreSQL on this machine and starts a cluster of the bench's own in a temporary directory: durable (fsync
// on, synchronous commits), reached through a unix socket. PostgreSQL refuses to run as root, so root lends it to
// another user. Where there is none the rows that need it are skipped with a notice.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { localNode, ROOT } from "../install.mjs";
import { PgConnection } from "./postgres-wire.ts";

const DEBIAN_HOME = "/usr/lib/postgresql";
const UNPRIVILEGED = ["postgres", "nobody"];
const STARTED_WITHIN_MS = 20_000;
const KILLED_WITHIN_MS = 5_000;
/** The best of 2, 4, 8, 16 and 32 for it: more of them only wait longer for the row that they all update. */
const CONNECTIONS = 4;
const SETTINGS = {
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  shared_buffers: "256MB",
  max_wal_size: "4GB",
  checkpoint_timeout: "30min",
  jit: "off",
  listen_addresses: "",
};

export interface Postgres {
  version: string;
  /** Where its Node and Hono listen. */
  port: number;
  stop(): Promise<void>;
}

/** The directory of the newest `postgres` and `initdb`; null when there is none. */
export function findPostgres(): string | null {
  const debian = existsSync(DEBIAN_HOME)
    ? readdirSync(DEBIAN_HOME)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(DEBIAN_HOME, version, "bin"))
    : [];
  const path = (process.env.PATH ?? "").split(delimiter);
  const holds = (directory: string): boolean =>
    ["postgres", "initdb"].every((name) => existsSync(join(directory, name)));
  return [...debian, ...path].find(holds) ?? null;
}

/** Starts a cluster with the bench's schema and one enterprise, and the server before it. */
export async function startPostgres(binaries: string, directory: string, key: string): Promise<Postgres> {
  const owner = ownerOfCluster();
  mkdirSync(directory, { recursive: true });
  if (owner !== null) chownSync(directory, owner.uid, owner.gid);
  chmodSync(directory, 0o755);
  const data = join(directory, "data");
  const identity = { ...(owner ?? {}), cwd: directory, env: { PATH: process.env.PATH ?? "", LC_ALL: "C" } };
  const options = ["-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-instructions"];
  execFileSync(join(binaries, "initdb"), options, { ...identity, stdio: ["ignore", "ignore", "inherit"] });
  const settings = Object.entries({ ...SETTINGS, unix_socket_directories: directory });
  const cluster = spawn(
    join(binaries, "postgres"),
    ["-D", data, ...settings.flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    { ...identity, stdio: ["ignore", "ignore", "ignore"] },
  );
  process.prependListener("exit", () => killCluster(cluster, data));
  const socketPath = join(directory, ".s.PGSQL.5432");
  const connection = await connectWithin(socketPath, STARTED_WITHIN_MS);
  await connection.query(readFileSync(join(ROOT, "tools", "bench", "postgres.sql"), "utf8"));
  await connection.query(
    "INSERT INTO balances (enterprise, allowance_micros, bonus_micros) VALUES ('bench', 5000000000000000, 3000000000)",
  );
  const version = (await connection.query("SHOW server_version"))[0]?.[0] ?? "";
  connection.close();
  const server = spawn(
    localNode(),
    [join(ROOT, "tools", "bench", "postgres-server.ts"), socketPath, key, String(CONNECTIONS)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.stdout.once("data", (line) => resolve(Number(line)));
    server.once("exit", (code) => reject(new Error(`the server before PostgreSQL ended with ${code}`)));
  });
  return {
    version,
    port,
    stop: async () => {
      await ended(server, "SIGTERM");
      await ended(cluster, "SIGINT");
    },
  };
}

function ownerOfCluster(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const users = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  for (const name of UNPRIVILEGED) {
    const user = users.find((fields) => fields[0] === name);
    if (user !== undefined) return { uid: Number(user[2]), gid: Number(user[3]) };
  }
  throw new Error(`PostgreSQL does not run as root, and there is no user ${UNPRIVILEGED.join(" or ")}`);
}

async function connectWithin(socketPath: string, withinMs: number): Promise<PgConnection> {
  const deadlineMs = Date.now() + withinMs;
  for (;;) {
    try {
      return await PgConnection.open(socketPath, "bench", "postgres");
    } catch (error) {
      if (Date.now() > deadlineMs) throw error;
      await sleep(50);
    }
  }
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}

/** At the end of this process, when nothing can be awaited any more: its directory is about to be removed. */
function killCluster(cluster: ChildProcess, data: string): void {
  cluster.kill("SIGQUIT");
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const deadlineMs = Date.now() + KILLED_WITHIN_MS;
  while (existsSync(join(data, "postmaster.pid")) && Date.now() < deadlineMs) Atomics.wait(pause, 0, 0, 20);
}
