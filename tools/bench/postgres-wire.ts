// The part of PostgreSQL's wire protocol (version 3) that the benchmark needs: connect without a password, run a script,
// prepare statements, execute them with text parameters, and a pool. Each execution sends Bind, Execute and Sync in one
// write, which is the least that a driver can send.
import { connect, type Socket } from "node:net";

export type Text = string | null;

/** A connection that runs one statement at a time. */
export class PgConnection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #rows: Text[][] = [];
  #error: Error | null = null;
  #waiting: { resolve(rows: Text[][]): void; reject(error: Error): void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", (error) => this.#waiting?.reject(error));
    socket.on("close", () => this.#waiting?.reject(new Error("PostgreSQL closed the connection")));
  }

  /** Connects through the server's unix socket. */
  static async open(socketPath: string, user: string, database: string): Promise<PgConnection> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const opening = connect(socketPath, () => resolve(opening));
      opening.once("error", reject);
    });
    const connection = new PgConnection(socket);
    const parameters = `user\0${user}\0database\0${database}\0\0`;
    const startup = Buffer.alloc(8 + parameters.length);
    startup.writeInt32BE(startup.length, 0);
    startup.writeInt32BE(196_608, 4);
    startup.write(parameters, 8);
    await connection.#send(startup);
    return connection;
  }

  /** Runs a script of statements without parameters. */
  query(text: string): Promise<Text[][]> {
    return this.#send(message("Q", `${text}\0`));
  }

  /** Prepares a statement under a name. */
  async prepare(name: string, text: string): Promise<void> {
    await this.#send(Buffer.concat([message("P", `${name}\0${text}\0\0\0`), SYNC]));
  }

  /** Executes a prepared statement. */
  execute(name: string, params: readonly Text[]): Promise<Text[][]> {
    let size = name.length + 8;
    for (const param of params) size += 4 + (param === null ? 0 : Buffer.byteLength(param));
    const bind = Buffer.alloc(5 + size);
    bind.write("B", 0);
    bind.writeInt32BE(4 + size, 1);
    // The empty name of the portal, then the statement's name. Both end with a zero byte.
    let at = 7 + bind.write(name, 6);
    at = bind.writeInt16BE(0, at);
    at = bind.writeInt16BE(params.length, at);
    for (const param of params) {
      if (param === null) {
        at = bind.writeInt32BE(-1, at);
        continue;
      }
      const length = bind.write(param, at + 4);
      bind.writeInt32BE(length, at);
      at += 4 + length;
    }
    bind.writeInt16BE(0, at);
    return this.#send(Buffer.concat([bind, EXECUTE, SYNC]));
  }

  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.end(message("X", ""));
  }

  #send(bytes: Buffer): Promise<Text[][]> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(bytes);
    });
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    let at = 0;
    while (this.#received.length >= at + 5) {
      const end = at + 1 + this.#received.readInt32BE(at + 1);
      if (this.#received.length < end) break;
      this.#handleMessage(String.fromCharCode(this.#received[at] as number), this.#received.subarray(at + 5, end));
      at = end;
    }
    this.#received = this.#received.subarray(at);
  }

  #handleMessage(type: string, body: Buffer): void {
    if (type === "D") this.#rows.push(rowOf(body));
    else if (type === "E") this.#error = new Error(`PostgreSQL: ${body.toString("utf8").replaceAll("\0", " ")}`);
    else if (type === "Z") {
      const [rows, error, waiting] = [this.#rows, this.#error, this.#waiting];
      this.#rows = [];
      this.#error = null;
      this.#waiting = null;
      if (error === null) waiting?.resolve(rows);
      else waiting?.reject(error);
    }
  }
}

/** A pool of connections. Waiting callers get one in the order of their calls. */
export class PgPool {
  readonly #free: PgConnection[];
  readonly #waiting: ((connection: PgConnection) => void)[] = [];

  constructor(connections: PgConnection[]) {
    this.#free = connections;
  }

  async execute(name: string, params: readonly Text[]): Promise<Text[][]> {
    const connection = this.#free.pop() ?? (await new Promise<PgConnection>((lend) => this.#waiting.push(lend)));
    try {
      return await connection.execute(name, params);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(connection);
      else next(connection);
    }
  }
}

const SYNC = message("S", "");
const EXECUTE = message("E", "\0\0\0\0\0");

function message(type: string, body: string): Buffer {
  const bytes = Buffer.alloc(5 + Buffer.byteLength(body));
  bytes.write(type, 0);
  bytes.writeInt32BE(bytes.length - 1, 1);
  bytes.write(body, 5);
  return bytes;
}

function rowOf(body: Buffer): Text[] {
  const row: Text[] = [];
  for (let at = 2, column = body.readInt16BE(0); column > 0; column--) {
    const length = body.readInt32BE(at);
    at += 4;
    row.push(length === -1 ? null : body.toString("utf8", at, at + length));
    at += Math.max(0, length);
  }
  return row;
}
