// Packs and unpacks the state that an earlier release left on the disk, with what that release answered afterwards.
// One compressed file holds everything, because the folder has dozens of small databases.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";

/** Secrets of the fixture only. Keys, sessions, tokens and links in it are signed with them. */
export const SECRETS = {
  operatorKey: "operator-key-of-the-upgrade-fixture-000000",
  signingSecret: "signing-secret-of-the-upgrade-fixture-0000",
};

/** What a request answered: JSON, or the text of an answer that is not JSON. */
export interface Recorded {
  path: string;
  answer: unknown;
}

/** Credentials that the earlier release signed. None of them expires before 2099. */
export interface Credentials {
  key: string;
  adminKey: string;
  revokedKey: string;
  session: string;
  embedToken: string;
  link: string;
  usedLink: string;
}

/** A call of an object, as the earlier release's Worker made it. */
export interface RecordedCall {
  binding: "ENTERPRISE" | "CATALOG";
  object: string;
  method: string;
  args: unknown[];
  result: unknown;
}

export interface Fixture {
  /** The commit of the release, for people. */
  release: string;
  credentials: Record<string, Credentials>;
  operatorSession: string;
  referralCode: string;
  /** Answers of the earlier release to GET requests, after it had opened this state again. */
  reads: Recorded[];
  /** Reports that the earlier release then received, with its answers, in order. */
  debits: { enterprise: string; report: unknown; answer: unknown }[];
  /** Answers to the same GET requests after these reports. */
  readsAfterDebits: Recorded[];
  /** What its Worker called in its objects while it answered all this. */
  calls: RecordedCall[];
}

/** The releases whose state is kept, oldest first. */
export const RELEASES = ["fc1d9ca", "e791040", "bdf66b1"];

const fileOf = (release: string) => join(import.meta.dirname, `state-${release}.br`);

export function writeFixture(fixture: Fixture, directory: string): number {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.endsWith("-shm"))
    .map((path) => ({ path: path.slice(directory.length + 1), bytes: readFileSync(path) }));
  const head = { fixture, files: files.map(({ path, bytes }) => ({ path, length: bytes.length })) };
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const packed = brotliCompressSync(Buffer.concat([length, text, ...files.map(({ bytes }) => bytes)]), {
    params: { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS },
  });
  writeFileSync(fileOf(fixture.release), packed);
  return packed.length;
}

/** Reads the fixture of a release. `restore` writes its state into a new folder. */
export function readFixture(release: string): Fixture & { restore(directory: string): void } {
  const unpacked = brotliDecompressSync(readFileSync(fileOf(release)));
  const textEnd = 4 + unpacked.readUInt32LE(0);
  const { fixture, files } = JSON.parse(unpacked.toString("utf8", 4, textEnd)) as {
    fixture: Fixture;
    files: { path: string; length: number }[];
  };
  const restore = (directory: string) => {
    let offset = textEnd;
    for (const { path, length } of files) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), unpacked.subarray(offset, offset + length));
      offset += length;
    }
  };
  return { ...fixture, restore };
}
