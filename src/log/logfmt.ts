import type { Level } from "./level.ts";

/** Keys and values of a line, in their order; what is undefined or "" is left out. */
export type Fields = Readonly<Record<string, string | number | undefined>>;

/** A value longer than this is cut: a list of GC has megabytes. */
const MOST = 16 << 10;

/** A line in the form that runtimes written in Go write (github.com/kr/logfmt), without its end. `timeNs`: since the epoch. */
export function logfmt(timeNs: number, level: Level, msg: string, fields: Fields): string {
  const time = new Date(timeNs / 1e6).toISOString();
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined && value !== "");
  const more = pairs.map(([key, value]) => ` ${key}=${quoted(`${value}`)}`);
  return `time=${time} level=${level} msg=${JSON.stringify(cut(msg))}${more.join("")}`;
}

/** A number of nanoseconds as Go writes a duration: 3.2ms, 1.5s. */
export function duration(ns: number): string {
  const ms = ns / 1e6;
  return ms < 1000 ? `${Number(ms.toFixed(ms < 10 ? 2 : 1))}ms` : `${Number((ms / 1000).toFixed(2))}s`;
}

function quoted(value: string): string {
  return value.length <= MOST && /^[^\s"=\\\p{Cc}]+$/u.test(value) ? value : JSON.stringify(cut(value));
}

function cut(value: string): string {
  const whole = value.replaceAll(/[\u007f-\u009f\u2028\u2029]+/g, " ");
  return whole.length > MOST ? `${whole.slice(0, MOST)}… (${whole.length - MOST} characters more)` : whole;
}
