// Finds PostgreSQL on this machine and starts a temporary cluster: durable (fsync on, synchronous commits) and reached
// through a unix socket. PostgreSQL refuses to run as root, so root starts it as another user. Without PostgreSQL the
// comparisons with it are skipped.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { localNode, ROOT } from "../install.mjs";
import { PgConnection } from "./postgres-wire.ts";

const DEBIAN_HOME = "/usr/lib/postgresql";
const UNPRIVILEGED = ["postgres", "nobody"];
const MAX_START_MS = 20_000;
const MAX_KILL_MS = 5_000;
/** The fastest of 2, 4, 8, 16 and 32: with more, they only wait longer for the row that all of them update. */
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
  /** The port of the Node server in front of it. */
  port: number;
  /** The only key that it accepts. */
  key: string;
  stop(): Promise<void>;
}

/** The folder of the newest `postgres` and `initdb`; null if there is none. */
export function findPostgres(): string | null {
  const debian = existsSync(DEBIAN_HOME)
    ? readdirSync(DEBIAN_HOME)
        .sort((a, b) => Number(b) - Number(a))
        .map((version) => join(DEBIAN_HOME, version, "bin"))
    : [];
  const path = (process.env.PATH ?? "").split(delimiter);
  const hasBoth = (directory: string): boolean =>
    ["postgres", "initdb"].every((name) => existsSync(join(directory, name)));
  return [...debian, ...path].find(hasBoth) ?? null;
}

/** Starts a cluster with the benchmark's schema and one enterprise, and the Node server in front of it. */
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
  const connection = await connectWithin(socketPath, MAX_START_MS);
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
    server.once("exit", (code) => reject(new Error(`the server in front of PostgreSQL ended with ${code}`)));
  });
  return {
    version,
    port,
    key,
    stop: async () => {
      await end(server, "SIGTERM");
      await end(cluster, "SIGINT");
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
  throw new Error(`PostgreSQL does not run as root, and the users ${UNPRIVILEGED.join(" and ")} do not exist`);
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

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}

/** Kills the cluster at the exit of this process, and waits without `await`, because its folder is removed next. */
function killCluster(cluster: ChildProcess, data: string): void {
  cluster.kill("SIGQUIT");
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const deadlineMs = Date.now() + MAX_KILL_MS;
  while (existsSync(join(data, "postmaster.pid")) && Date.now() < deadlineMs) Atomics.wait(pause, 0, 0, 20);
}
