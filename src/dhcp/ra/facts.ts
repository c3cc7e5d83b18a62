import { everywhere } from "../../address/cidr.ts";
import type { Ip } from "../../address/ip.ts";
import type { Advertisement } from "./message.ts";

/** What routers said, piece by piece: each holds until its time is over, whatever else is said meanwhile. */

export type FactKind = "preferred" | "address" | "on-link" | "route" | "nameserver" | "domain" | "mtu";

export interface Fact {
  readonly kind: FactKind;
  /** A prefix, a destination (::/0 for a default router), an address, a name, a number: as text, for it is kept as JSON. */
  readonly value: string;
  /** The link-local address of who said it last. */
  readonly router: string;
  /** Of routes: 1 high, 0 medium, -1 low. */
  readonly preference: number;
  /** Milliseconds on the scheduler's clock; Infinity without end. */
  readonly until: number;
}

/** Of each kind. A router that says more is not right in the head, or hostile. */
const LIMIT = 16;
const SMALLEST_MTU = 1280;
const TWO_HOURS_MS = 2 * 60 * 60 * 1000;
/** RFC 4862, section 5.5.3 d: the length of an interface identifier is 64 bits on all links that we know. */
const AUTONOMOUS_LENGTH = 64;

/** What one advertisement says. What it takes back holds until `now`. */
export function factsOf(advertisement: Advertisement, router: Ip, now: number): Fact[] {
  const { routerLifetime, preference, prefixes, routes, nameservers, domains, mtu } = advertisement;
  const facts: Fact[] = [];
  const add = (kind: FactKind, value: unknown, seconds: number, preference = 0) =>
    facts.push({ kind, value: `${value}`, router: `${router}`, preference, until: now + seconds * 1000 });
  add("route", everywhere(6), routerLifetime, preference);
  for (const { prefix, onLink, autonomous, valid, preferred } of prefixes) {
    if (onLink) add("on-link", prefix, valid);
    if (autonomous && prefix.prefixLength === AUTONOMOUS_LENGTH) {
      add("preferred", prefix, preferred);
      add("address", prefix, valid);
    }
  }
  for (const { dst, lifetime, preference } of routes) add("route", dst, lifetime, preference);
  for (const { address, lifetime } of nameservers) add("nameserver", address, lifetime);
  for (const { name, lifetime } of domains) add("domain", name, lifetime);
  if (mtu !== undefined && mtu >= SMALLEST_MTU) add("mtu", mtu, Number.POSITIVE_INFINITY);
  return facts;
}

/** What holds at `now` when `news` have come. */
export function withNews(known: readonly Fact[], news: readonly Fact[], now: number): Fact[] {
  const facts = new Map(known.map((fact) => [keyOf(fact), fact]));
  for (const fact of news) {
    const key = keyOf(fact);
    const before = facts.get(key);
    if (before === undefined && fact.kind === "address" && !isPreferred(facts, fact, now)) continue;
    facts.set(key, { ...fact, until: acceptedUntil(fact, before, now) });
  }
  const counts = new Map<FactKind, number>();
  return [...facts.values()].filter(({ kind, until }) => {
    if (until <= now) return false;
    const count = (counts.get(kind) ?? 0) + 1;
    counts.set(kind, count);
    return count <= LIMIT;
  });
}

/** Prefixes belong to the link, the rest to the router that says it. */
function keyOf({ kind, value, router }: Fact): string {
  if (kind === "mtu") return `${kind} ${router}`;
  return /route|nameserver|domain/.test(kind) ? `${kind} ${value} ${router}` : `${kind} ${value}`;
}

/** Of other prefixes no new addresses are made (RFC 4862, section 5.5.4). */
function isPreferred(facts: ReadonlyMap<string, Fact>, address: Fact, now: number): boolean {
  const preferred = facts.get(keyOf({ ...address, kind: "preferred" }));
  return preferred !== undefined && preferred.until > now;
}

/** No single advertisement takes all addresses away: RFC 4862, section 5.5.3 e. */
function acceptedUntil({ kind, until }: Fact, before: Fact | undefined, now: number): number {
  const soon = now + TWO_HOURS_MS;
  if (kind !== "address" || before === undefined || until > soon || until >= before.until) return until;
  return Math.min(before.until, soon);
}
