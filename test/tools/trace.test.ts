// Reading traces: both formats with their variations, and errors that name what is wrong.
import { describe, expect, it } from "vitest";
import { readTrace, TraceError } from "../../tools/replay/trace.ts";
import { parseUtcTime } from "../../tools/replay/trace-time.ts";

const HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens";

/** Reads a file split at line feeds only, so a carriage return stays at the end of a line. */
function read(file: string) {
  return readTrace(file.split("\n"));
}

function usage(input: number, output: number, cacheRead = 0) {
  return { input_tokens: input, output_tokens: output, cache_read_tokens: cacheRead, cache_write_tokens: 0 };
}

describe("an Azure trace", () => {
  it("gives one request per line, timed from the first one to a tenth of a microsecond", async () => {
    const trace = await read(`${HEADER}\n2023-11-16 18:17:03.9799600,4808,10\n2023-11-16 18:17:04.0319601,3180,8\n`);
    expect(trace.map((request) => request.usage)).toEqual([usage(4808, 10), usage(3180, 8)]);
    expect(trace[0]!.atMs).toBe(0);
    expect(trace[1]!.atMs).toBeCloseTo(52.0001, 6);
  });

  it("accepts CRLF, a byte order mark, blank lines and a last line without a line ending", async () => {
    const trace = await read(`\uFEFF${HEADER}\r\n\r\n2023-11-16 18:17:03.9799600,1,2\r\n  \r\n2023-11-16 18:17:04,3,4`);
    expect(trace.map((request) => request.usage)).toEqual([usage(1, 2), usage(3, 4)]);
  });

  it("finds the columns by name, in any order and among others", async () => {
    const trace = await read("GeneratedTokens,Region,ContextTokens,TIMESTAMP\n7,eu,900,2023-11-16 00:00:00.5\n");
    expect(trace).toEqual([{ atMs: 0, usage: usage(900, 7) }]);
  });

  it("sorts by time, and by the order of the file at equal times", async () => {
    const trace = await read(
      `${HEADER}\n2023-11-17 00:00:00.0000001,3,0\n2023-11-17 00:00:00,1,0\n2023-11-16 23:59:59.9999999,0,0\n2023-11-17 00:00:00,2,0\n`,
    );
    expect(trace.map((request) => request.usage.input_tokens)).toEqual([0, 1, 2, 3]);
  });

  it("names the line and the value in errors", async () => {
    const problem = (line: string) =>
      read(`${HEADER}\n2023-11-16 18:17:03,1,2\n${line}\n`).catch((error) => String(error));
    expect(await problem("2023-11-16 18:17:04,abc,2")).toContain('line 3: ContextTokens is "abc"');
    expect(await problem("2023-11-16 18:17:04,1,-2")).toContain('line 3: GeneratedTokens is "-2"');
    expect(await problem("2023-11-16 18:17:04,1,2.5")).toContain('line 3: GeneratedTokens is "2.5"');
    expect(await problem("yesterday,1,2")).toContain('line 3: TIMESTAMP is "yesterday"');
    expect(await problem("2023-02-30 18:17:04,1,2")).toContain('line 3: TIMESTAMP is "2023-02-30 18:17:04"');
    expect(await problem("2023-11-16 18:17:04,1")).toContain("line 3: 2 fields instead of 3");
    await expect(read("TIME,ContextTokens,GeneratedTokens\n")).rejects.toThrow(TraceError);
  });

  it("leaves out malformed lines that the caller collects", async () => {
    const bad: string[] = [];
    const lines = ["TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:17:03.9799600,1,2", "x,1,2", "y"];
    expect(await readTrace(lines, ({ message }) => bad.push(message))).toHaveLength(1);
    expect(bad).toEqual([expect.stringMatching(/^line 3: /), expect.stringMatching(/^line 4: /)]);
  });

  it("is empty if the file has only a header", async () => {
    expect(await read(`${HEADER}\n`)).toEqual([]);
  });
});

describe("a Mooncake trace", () => {
  const line = (timestamp: number, input: number, output: number, hashIds: number[]) =>
    JSON.stringify({ timestamp, input_length: input, output_length: output, hash_ids: hashIds });

  it("counts a block of an earlier request as a cache read of 512 tokens", async () => {
    const trace = await read([line(0, 1500, 5, [1, 2, 3]), line(10, 1400, 6, [1, 2, 9])].join("\n"));
    expect(trace.map((request) => request.usage)).toEqual([usage(1500, 5), usage(1400 - 1024, 6, 1024)]);
  });

  it("never counts more cache reads than the input length", async () => {
    const trace = await read([line(0, 600, 0, [1, 2]), line(0, 600, 0, [1, 2])].join("\n"));
    expect(trace[1]!.usage).toEqual(usage(0, 0, 600));
  });

  it("does not count a block as a cache read in the request that first contains it", async () => {
    const trace = await read([line(0, 1024, 0, [4, 4]), line(1, 1024, 0, [4, 4])].join("\n"));
    expect(trace.map((request) => request.usage.cache_read_tokens)).toEqual([0, 1024]);
  });

  it("finds earlier blocks by the order of the file, and sorts requests by time", async () => {
    const trace = await read([line(2000, 512, 1, [1]), line(1000, 512, 2, [1])].join("\r\n"));
    expect(trace).toEqual([
      { atMs: 0, usage: usage(0, 2, 512) },
      { atMs: 1000, usage: usage(512, 1) },
    ]);
  });

  it("names the line and the value in errors", async () => {
    const problem = (text: string) => read(`${line(0, 1, 1, [0])}\n\n${text}`).catch((error) => String(error));
    expect(await problem("{broken")).toContain('line 3: "{broken" is not a JSON object');
    expect(await problem('{"timestamp":"x"}')).toContain('line 3: timestamp is "x"');
    expect(await problem('{"timestamp":0,"input_length":1.5}')).toContain("line 3: input_length is 1.5");
    expect(await problem('{"timestamp":0,"input_length":1}')).toContain("line 3: output_length is missing");
    expect(await problem('{"timestamp":0,"input_length":1,"output_length":2,"hash_ids":3}')).toContain(
      "line 3: hash_ids is 3",
    );
    expect(await problem('{"timestamp":0,"input_length":1,"output_length":2,"hash_ids":["a"]}')).toContain(
      'hash_ids contains "a"',
    );
  });
});

describe("a time without a zone", () => {
  it("is read as UTC, and a time with a zone is converted to UTC", () => {
    const expected = { secondMs: Date.UTC(2024, 4, 10, 0, 0, 0), fractionMs: 9.93 };
    expect(parseUtcTime("2024-05-10 00:00:00.009930")).toEqual(expected);
    expect(parseUtcTime("2024-05-10T02:00:00.00993+02:00")).toEqual(expected);
    expect(parseUtcTime("2024-05-09 18:30:00.009930000-0530")).toEqual(expected);
    expect(parseUtcTime("2024-13-01 00:00:00")).toBeNull();
  });
});
