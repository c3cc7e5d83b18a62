import type { Host } from "../host/host.ts";

/** What a pipe takes in one piece, so that lines of processes that share one do not mix: PIPE_BUF. */
export const PIPE_BYTES = 4096;

/** A text on one line: lines are parted by "; ", other control characters become blanks. */
export function oneLine(text: string): string {
  // No regular expression for it: one would try each blank of a long run as the beginning of a line's end.
  const [first = "", ...others] = text.split("\n");
  let line = first.trimEnd();
  for (const other of others.map((each) => each.trim()))
    if (other !== "") line += `${/[.:]$/.test(line.slice(-1)) ? " " : "; "}${other}`;
  return line.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");
}

/** The bytes of a line with its end: at most `most` of them, with a mark where the rest is left out. */
export function lineBytes(host: Host, line: string, most = PIPE_BYTES): Uint8Array {
  const bytes = host.encode(`${line}\n`);
  if (bytes.length <= most) return bytes;
  const kept = host.decode(bytes.subarray(0, most - 40)).replace(/\ufffd+$/, "");
  const rest = bytes.length - 1 - host.encode(kept).length;
  return host.encode(`${kept}… (${rest} bytes more)\n`);
}

/** Writes a line to stderr. What nobody reads is lost: no call waits for its log. */
export function sayOnStderr(host: Host, line: string): void {
  host.sys.write(2, lineBytes(host, oneLine(line)), 0);
}
