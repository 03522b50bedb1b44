// Progress on the terminal: requests done, rate, time left. On a terminal one line that is rewritten, elsewhere (a
// log, a pipe) a line every few seconds. It goes to stderr, so that stdout has the result and nothing else.

const TERMINAL_INTERVAL_MS = 100;
const LOG_INTERVAL_MS = 3000;
/** The rate is that of the last few seconds, not of the whole: then the time left follows a change. */
const RATE_WINDOW_MS = 5000;

/** Shows how far a long job is. */
interface Progress {
  /** So many are done now. */
  update(done: number): void;
  /** Leaves the terminal at the start of a line. */
  end(): void;
}

/** The stream that progress is written to; process.stderr is one. */
interface ProgressStream {
  isTTY?: boolean;
  write(text: string): unknown;
}

/** Shows the progress of `total` requests on a stream; `nowMs` is the clock. */
export function createProgress(total: number, stream: ProgressStream, nowMs: () => number): Progress {
  const intervalMs = stream.isTTY ? TERMINAL_INTERVAL_MS : LOG_INTERVAL_MS;
  let shownAtMs = nowMs();
  const samples = [{ atMs: shownAtMs, done: 0 }];
  return {
    update(done) {
      const now = nowMs();
      if (now - shownAtMs < intervalMs) return;
      shownAtMs = now;
      samples.push({ atMs: now, done });
      while (samples.length > 2 && samples[1]!.atMs <= now - RATE_WINDOW_MS) samples.shift();
      const line = progressLine(done, total, (done - samples[0]!.done) / ((now - samples[0]!.atMs) / 1000));
      stream.write(stream.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    },
    end() {
      if (stream.isTTY) stream.write("\r\x1b[K");
    },
  };
}

/** `4,120 of 8,819 requests · 812/s · 6 s left` */
export function progressLine(done: number, total: number, perSecond: number): string {
  const parts = [
    `${whole(done)} of ${whole(total)} requests`,
    `${perSecond < 10 ? perSecond.toFixed(1) : whole(perSecond)}/s`,
  ];
  if (perSecond > 0) parts.push(`${duration((total - done) / perSecond)} left`);
  return parts.join(" · ");
}

function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function duration(seconds: number): string {
  const rest = Math.ceil(seconds);
  if (rest < 60) return `${rest} s`;
  if (rest < 3600) return `${Math.floor(rest / 60)} min ${rest % 60} s`;
  return `${Math.floor(rest / 3600)} h ${Math.floor((rest % 3600) / 60)} min`;
}
