// The options of `npm start` and `npm run replay`, and the messages for wrong ones.
import { describe, expect, it } from "vitest";
import { parseReplayOptions } from "../../tools/replay/options.ts";
import { progressLine } from "../../tools/replay/progress.ts";
import { hostOf, parseStartOptions } from "../../tools/start/options.mjs";

describe("npm start", () => {
  it("uses port 8787, .wrangler/state and the demo by default", () => {
    expect(parseStartOptions([])).toEqual({
      port: 8787,
      persistTo: ".wrangler/state",
      demo: true,
      help: false,
      passedOn: [],
    });
  });

  it("accepts its own options with = or a space", () => {
    const expected = { port: 9000, persistTo: "dir", demo: false, help: false, passedOn: [] };
    expect(parseStartOptions(["--port", "9000", "--persist-to", "dir", "--no-demo"])).toEqual(expected);
    expect(parseStartOptions(["--no-demo", "--port=9000", "--persist-to=dir"])).toEqual(expected);
  });

  it("keeps the state of --no-demo in its own folder", () => {
    expect(parseStartOptions(["--no-demo"])).toMatchObject({ demo: false, persistTo: ".wrangler/state-no-demo" });
  });

  it("passes on all other options, with their values", () => {
    const { passedOn } = parseStartOptions(["--ip", "0.0.0.0", "--port", "1", "--live-reload", "--log-level=debug"]);
    expect(passedOn).toEqual(["--ip", "0.0.0.0", "--live-reload", "--log-level=debug"]);
  });

  it.each([
    [["--port", "abc"], '--port is "abc"; it must be a whole number from 1 to 65535.'],
    [["--port", "70000"], '--port is "70000"; it must be a whole number from 1 to 65535.'],
    [["--port"], "--port needs a value."],
    [["--persist-to", "--no-demo"], "--persist-to needs a value."],
    [["--no-demo=yes"], '--no-demo takes no value, but got "yes".'],
    [["fast"], 'Unknown argument "fast". See "npm start -- --help".'],
    [["--ip", "0.0.0.0", "fast"], 'Unknown argument "fast". See "npm start -- --help".'],
  ])("explains what is wrong with %j", (args, sentence) => {
    expect(() => parseStartOptions(args)).toThrow(sentence);
  });

  it("prints links to the address that it listens on", () => {
    expect(hostOf([])).toBe("localhost");
    expect(hostOf(["--ip", "0.0.0.0"])).toBe("localhost");
    expect(hostOf(["--ip=192.168.1.5"])).toBe("192.168.1.5");
    expect(hostOf(["--ip", "fe80::1"])).toBe("[fe80::1]");
  });
});

describe("npm run replay", () => {
  const REQUIRED = ["trace.csv", "--to", "http://localhost:8787/", "--enterprise", "acme", "--key", "fg_1"];

  it("requires a file, a URL, an enterprise and a key, and has defaults for the rest", () => {
    expect(parseReplayOptions(REQUIRED, {}, 42)).toEqual({
      file: "trace.csv",
      baseUrl: "http://localhost:8787",
      enterprise: "acme",
      key: "fg_1",
      speedRatio: null,
      model: null,
      skipBad: false,
      chaos: false,
      batch: 100,
      concurrency: 8,
      limit: null,
      seed: 42,
    });
  });

  it("takes the key from the environment if no --key is given", () => {
    expect(parseReplayOptions(REQUIRED.slice(0, -2), { FUELGAUGE_KEY: "fg_2" }, 1)?.key).toBe("fg_2");
  });

  it("accepts all its options", () => {
    const more = [
      "--speed",
      "2.5",
      "--model",
      "openai/gpt-5",
      "--chaos",
      "--batch=1",
      "--concurrency",
      "32",
      "--limit",
      "9",
      "--seed",
      "0",
      "--skip-bad",
    ];
    expect(parseReplayOptions([...REQUIRED, ...more], {}, 1)).toMatchObject({
      speedRatio: 2.5,
      model: "openai/gpt-5",
      chaos: true,
      batch: 1,
      concurrency: 32,
      limit: 9,
      seed: 0,
      skipBad: true,
    });
  });

  it.each([
    [[], "Name the trace file to replay."],
    [[...REQUIRED, "other.csv"], 'Name one trace file only; "other.csv" is a second one.'],
    [[...REQUIRED, "--to", "localhost:8787"], '--to is "localhost:8787"; it must be a URL'],
    [[...REQUIRED, "--speed", "0"], '--speed is "0"; it must be a number above 0'],
    [[...REQUIRED, "--speed", "fast"], '--speed is "fast"; it must be a number above 0'],
    [[...REQUIRED, "--batch", "1001"], '--batch is "1001"; it must be a whole number from 1 to 1000.'],
    [[...REQUIRED, "--limit", "1e3"], '--limit is "1e3"'],
    [[...REQUIRED, "--faster"], "Unknown option '--faster'"],
    [REQUIRED.slice(0, -2), "--key is missing"],
    [["trace.csv", "--to", "http://h", "--key", "k"], "--enterprise is missing"],
  ])("explains what is wrong with %j", (args, sentence) => {
    expect(() => parseReplayOptions(args, {}, 1)).toThrow(sentence);
  });

  it("shows the help without complaining about missing options", () => {
    expect(parseReplayOptions(["--help"], {}, 1)).toBeNull();
  });
});

describe("progress", () => {
  it("shows the count, the rate and the time left", () => {
    expect(progressLine(4120, 8819, 812)).toBe("4,120 of 8,819 requests · 812/s · 6 s left");
    expect(progressLine(1, 1000, 0.5)).toBe("1 of 1,000 requests · 0.5/s · 33 min 18 s left");
    expect(progressLine(0, 10, 0)).toBe("0 of 10 requests · 0.0/s");
  });
});
