import type { Host } from "../../host/host.ts";

/** RFC 2131, section 4.1, begins with 4 s; a plugin's caller waits, and networks have become faster. */
const FIRST_MS = 2000;
/** RFC 2131, section 4.4.5. */
const LEAST_RENEWAL_MS = 60_000;

/**
 * Milliseconds until a message that is not answered is sent again. They double with each attempt (the first is 0), up to
 * `longest`, and differ by a quarter at random: so not all clients ask at once after a power cut.
 */
export function resendPause(host: Host, attempt: number, longest: number): number {
  // A quarter more is `longest` at most.
  return jittered(host, Math.min(FIRST_MS * 2 ** attempt, longest * 0.8), 0.25);
}

/**
 * Milliseconds until a renewal that is not answered is tried again (RFC 2131, section 4.4.5): half of what is `left`, but
 * no less than a minute; of a short lease, an eighth of what it had at T1 (`span`).
 */
export function renewalPause(left: number, span: number): number {
  const least = Math.min(LEAST_RENEWAL_MS, span / 8);
  return Math.min(left, Math.max(left / 2, least));
}

/** `ms` more or less than up to `share` of it. */
export function jittered(host: Host, ms: number, share: number): number {
  const [low = 0, high = 0] = host.random(2);
  return ms * (1 - share + (2 * share * (high * 256 + low)) / 65536);
}
