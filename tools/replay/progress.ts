// Shows progress: requests done, rate, time left. A terminal gets one line that is rewritten, a log or a pipe a line
// every few seconds. It is written to stderr, so that stdout has only the result.

const TERMINAL_INTERVAL_MS = 100;
const LOG_INTERVAL_MS = 3000;
/** The rate is measured over the last few seconds, so that the time left follows changes. */
const RATE_WINDOW_MS = 5000;

/** Shows how far a long job has come. */
interface Progress {
  /** Sets how many requests are done. */
  update(done: number): void;
  /** Clears the line on the terminal. */
  end(): void;
}

/** The stream that progress is written to; process.stderr is one. */
interface ProgressStream {
  isTTY?: boolean;
  write(text: string): unknown;
}

/** Shows the progress of `total` requests on a stream. `nowMs` is the clock. */
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
