// @ts-nocheck: runs in workerd.
// A clock that tests move forward, so that they need not wait for the minutes that the product waits. It begins as far
// ahead as the variable CLOCK_AHEAD_MS says, and does nothing without that variable.
import { env } from "cloudflare:workers";

const realNowMs = Date.now.bind(Date);
let aheadMs = Number(env.CLOCK_AHEAD_MS ?? 0);
if (env.CLOCK_AHEAD_MS !== undefined) Date.now = () => realNowMs() + aheadMs;

/** Lets alarms fire by the real time that the clock will show at their time, unless the clock is moved until then. */
export function followClock(storage) {
  if (env.CLOCK_AHEAD_MS === undefined) return;
  const proto = Object.getPrototypeOf(storage);
  if (proto.followsClock) return;
  proto.followsClock = true;
  const { setAlarm } = storage;
  proto.setAlarm = function (atMs, ...more) {
    return setAlarm.call(this, Number(atMs) - aheadMs, ...more);
  };
}

export function moveClock(byMs) {
  aheadMs += byMs;
}
