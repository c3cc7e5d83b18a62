// A host on which the reference's plugins and ours take turns: what one has added the other deletes, while others work on.
import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { root } from "../root.ts";
import { until } from "./program.ts";
import { type CallSettings, type Container, type Json, type Verb, World } from "./world.ts";

export type Release = "1.1.1" | "1.9.1";
export const RELEASES: readonly Release[] = ["1.1.1", "1.9.1"];
export type Side = "ours" | "theirs";
export const SIDES: readonly Side[] = ["theirs", "ours"];
export const otherOf = (side: Side): Side => (side === "ours" ? "theirs" : "ours");

/** The newest version of the specification that each release knows. */
export const NEWEST: Readonly<Record<Release, string>> = { "1.1.1": "1.0.0", "1.9.1": "1.1.0" };

function newestOf(folder: string): string | undefined {
  const bridge = join(folder, "bridge");
  if (!existsSync(bridge)) return undefined;
  const { stdout } = spawnSync(bridge, { env: { CNI_COMMAND: "VERSION" }, input: "{}", encoding: "utf8" });
  // Ours in its place answers too.
  return existsSync(join(folder, "plumb")) ? undefined : JSON.parse(stdout).supportedVersions.at(-1);
}

const FOLDERS = ["/usr/lib/cni", "/opt/cni/bin", join(root, "dist/next/reference/usr/lib/cni")];
const found = new Map(FOLDERS.map((folder) => [newestOf(folder), folder]));

/** Where a release of the reference is: that of Debian 12, or of a newer one. */
export const folderOf = (release: Release): string | undefined => found.get(NEWEST[release]);

/** For tests that need a plugin of a release. */
export function beside(release: Release, plugin = "bridge") {
  const folder = folderOf(release);
  if (folder === undefined) return { skip: `the reference plugins ${release} are not here` };
  return { skip: !existsSync(join(folder, plugin)) && `the reference ${release} has no ${plugin}` };
}

const STATE = `ip -o link show; echo =; ip -o address show; echo =
  for family in -4 -6; do ip $family route show table all; ip $family rule show; done; tc qdisc show; echo =
  find /run/cni /var/lib/cni -path "*/.plumb" -prune -o -type f -size +0 -print 2> /dev/null; echo =
  nft -j list ruleset`;
/** What comes and goes with the carrier, or is made for each link. */
const BY_ITSELF =
  /^(local |anycast |multicast )?(fe80|ff00)|^(anycast|multicast) |^qdisc (noqueue|fq_codel|pfifo_fast|mq) |\/(lock|last_reserved_ip\.\d+)$/;

/** Ends a program, and awaits its end. */
export async function end(program: ChildProcess | undefined): Promise<void> {
  if (!program || program.exitCode !== null || program.signalCode !== null) return;
  const ended = once(program, "exit");
  program.kill("SIGKILL");
  await ended;
}

/** All that a plugin may leave on the host, a line each: as `World.state`, and at one go. */
export function linesOfState(w: World): string[] {
  const [links, addresses, others, files, ruleset] = w.must("sh", "-c", STATE).split("=\n");
  const text = [
    ...links!
      .split("\n")
      .map((line) => line.replace(/^\d+: ([^:]+): .*?( master \S+)?( state .*)?$/, "link $1$2")),
    ...addresses!
      .split("\n")
      .filter((line) => !/ inet6 fe80.*scope link/.test(line))
      .map((line) => line.replace(/^\d+: (\S+) +inet6? (\S+).*/, "address $1 $2")),
    ...[...others!.split("\n"), ...files!.split("\n")].map((line) =>
      line.replace(/ linkdown| pref \w+/g, "").trim(),
    ),
  ];
  return [...text, ...nftablesLines(JSON.parse(ruleset!).nftables)].filter(
    (line) => line !== "" && !BY_ITSELF.test(line),
  );
}

/** Chains, rules without their counts, elements. */
function nftablesLines(objects: readonly Json[]): string[] {
  return objects.flatMap(({ chain, rule, set, map }) => {
    if (chain) return chain.hook ? [] : [`chain ${chain.family} ${chain.table} ${chain.name}`];
    if (rule) {
      const text = JSON.stringify(rule.expr).replaceAll(/"packets":\d+,"bytes":\d+/g, "");
      return [`rule ${rule.family} ${rule.table} ${rule.chain} ${rule.comment ?? ""} ${text}`];
    }
    const { family, table, name, elem = [] } = set ?? map ?? {};
    return elem.map((one: Json) => `element ${family} ${table} ${name} ${JSON.stringify(one)}`);
  });
}

/** What is in `some` more often than in `others`. */
export function without(some: readonly string[], others: readonly string[]): string[] {
  const rest = [...others];
  return some.filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

/** How runtimes call DEL. */
export const WAYS = {
  "with prevResult": { known: true, gone: false },
  "without prevResult": { known: false, gone: false },
  "with prevResult, the namespace gone": { known: true, gone: true },
  "without prevResult and CNI_NETNS, the namespace gone": { known: false, gone: true },
} as const;
export type Way = keyof typeof WAYS;

/** The way with prevResult. */
const knowing = (way: Way): Way =>
  WAYS[way].gone ? "with prevResult, the namespace gone" : "with prevResult";

/** An attachment on the host. */
export interface Member {
  readonly container: Container;
  readonly number: number;
  readonly maker: Side;
  readonly chain: readonly Json[];
  readonly result: Json;
  /** What its ADD brought to the host. */
  readonly brought: readonly string[];
}

/** What is left behind when one deletes what the other has added; the next DEL by ours with prevResult takes it. */
export interface Limit {
  readonly why: string;
  /** Who deletes: the reference, unless told. */
  readonly by?: Side;
  readonly releases?: readonly Release[];
  readonly ways?: readonly Way[];
  /** Which of the lines; none, if DEL ends with an error and has done its work. */
  readonly leaves?: RegExp;
  /** How DEL ends. */
  readonly error?: RegExp;
}

/** A network whose containers come and go by the plugins of both. */
export interface Subject {
  readonly what: string;
  readonly releases?: readonly Release[];
  /** The plugins; containers are numbered from 1. */
  readonly chain: (number: number) => readonly Json[];
  readonly prepare?: (w: World, t: TestContext) => void | Promise<void>;
  /** A device of the host for each container: made before ADD, and looked at and removed after DEL. */
  readonly device?: {
    plug(w: World, number: number): void;
    unplug(w: World, number: number, gone: boolean): void;
  };
  /** What is left in a container after DEL but the interface. */
  readonly leftInside?: (container: Container) => unknown[];
  /** Starts what serves in the container; its namespace does not go before it has ended. */
  readonly start?: (w: World, member: Member, t: TestContext) => Promise<ChildProcess>;
  /** That packets go their way, for all of them. */
  readonly works: (w: World, members: readonly Member[]) => void;
  /** Lines that belong to all containers, whoever came first. */
  readonly shared?: RegExp;
  readonly limits?: readonly Limit[];
  /** All, unless told. */
  readonly ways?: readonly Way[];
  /** What the reference's CHECK says of what is whole, where it is mistaken. */
  readonly mistaken?: (maker: Side, release: Release) => RegExp | undefined;
  readonly ifName?: string;
}

/** A container of the world, in which IPv6 addresses may be used at once. */
export function container(w: World, id: string): Container {
  const made = w.container(id);
  made.must("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
  return made;
}

/** Whether containers get answers; `as` is the source address. */
export function allPing(w: World, pairs: readonly (readonly [id: string, to: string, as?: string])[]): void {
  const one = `ip netns exec $id ping -q -c 1 -W 20 \${as:+-I $as} $to > /dev/null || echo "$id gets no answer from $to"`;
  const script = `while read id to as; do { ${one}; } & done; wait`;
  const input = pairs.map((words) => `${words.join(" ")}\n`).join("");
  assert.equal(w.exec(["sh", "-c", script], { input }).stdout, "");
}

/** A question to a port: who asks ("" is the host), and what must be answered. */
export interface Question {
  readonly from: string;
  readonly address: string;
  readonly port: number;
  readonly transport: "tcp" | "udp";
  readonly answer: RegExp;
}

/** Asks all of it at once. */
export function allAnswer(w: World, questions: readonly Question[]): void {
  const tcp = "exec 3<>/dev/tcp/$0/$1 && cat <&3";
  const udp = "exec 3<>/dev/udp/$0/$1 && echo who? >&3 && dd bs=500 count=1 <&3 2> /dev/null";
  const script = `while read number from address port transport; do {
      [ $from = host ] && in= || in="ip netns exec $from"
      [ $transport = tcp ] && ask='${tcp}' || ask='${udp}'
      echo "$number $($in timeout 20 bash -c "$ask" $address $port)"
    } & done; wait`;
  const input = questions.map(
    ({ from, address, port, transport }, number) =>
      `${number} ${from || "host"} ${address} ${port} ${transport}\n`,
  );
  const { stdout } = w.exec(["bash", "-c", script], { input: input.join("") });
  const answers = new Map(stdout.split("\n").map((line) => [parseInt(line, 10), line.replace(/^\d+ /, "")]));
  for (const [number, { answer, ...question }] of questions.entries())
    assert.match(answers.get(number)!, answer, JSON.stringify(question));
}

/** The addresses of a result, without prefix lengths. */
export const addressesOf = (result: Json): string[] =>
  (result.ips ?? []).map(({ address }: Json) => address.split("/")[0]);

/** The host on which a subject is tested. */
export class MixedHost {
  readonly w: World;
  readonly release: Release;
  readonly paths: Readonly<Record<Side, string>>;

  constructor(w: World, release: Release) {
    this.w = w;
    this.release = release;
    this.paths = { ours: w.bin, theirs: folderOf(release)! };
  }

  /** In the version that both know. */
  versioned(config: Json): Json {
    return { cniVersion: NEWEST[this.release], ...config };
  }

  add(maker: Side, container: Container, number: number, chain: readonly Json[], ifName = "eth0"): Member {
    const before = linesOfState(this.w);
    let result: Json;
    for (const config of chain)
      result = this.w.add(this.versioned(config), container, {
        path: this.paths[maker],
        prevResult: result,
        ifName,
      });
    const brought = without(linesOfState(this.w), before);
    return { container, number, maker, chain, result, brought };
  }

  /** Gives the errors. */
  check(by: Side, { container, chain, result }: Member, ifName = "eth0"): string[] {
    const settings = { path: this.paths[by], ifName, prevResult: result };
    return this.#all("CHECK", chain, container, settings);
  }

  /** DEL of the chain by one of the two, all plugins of it; gives the errors. */
  del(by: Side, { container, chain, result }: Member, way: Way, ifName = "eth0"): string[] {
    const { known, gone } = WAYS[way];
    const settings = {
      path: this.paths[by],
      ifName,
      ...(known ? { prevResult: result } : {}),
      ...(gone && !known ? { netns: "" } : {}),
    };
    return this.#all("DEL", [...chain].reverse(), container, settings);
  }

  #all(verb: Verb, chain: readonly Json[], container: Container, settings: CallSettings): string[] {
    return chain.flatMap((config) => {
      const { code, output } = this.w.call(verb, this.versioned(config), container, settings);
      return code === 0 ? [] : [`${config.type}: ${output.msg}`];
    });
  }
}

/** Tests of a subject, with each release of the reference that has its plugins. */
export function testMixed(subject: Subject): void {
  const { what, releases = RELEASES, chain, ifName = "eth0", shared = /^$/, limits = [] } = subject;
  for (const release of releases)
    test(
      `${what}: half added by the reference ${release} and deleted by ours, half the other way round`,
      beside(release, chain(1).at(-1).type),
      async (t) => {
        const w = await World.start(t);
        w.must("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
        const host = new MixedHost(w, release);
        await subject.prepare?.(w, t);
        // What all containers share is there from now on.
        const ways = subject.ways ?? (Object.keys(WAYS) as Way[]);
        const limitOf = (deleter: Side, way: Way) =>
          limits.find(
            ({ by = "theirs", releases = RELEASES, ways: of = ways }) =>
              by === deleter && releases.includes(release) && of.includes(way),
          );
        for (const [index, side] of SIDES.entries()) {
          subject.device?.plug(w, index + 1);
          const first = host.add(side, container(w, `first${index}`), index + 1, chain(index + 1), ifName);
          host.del(side, first, "with prevResult", ifName);
          subject.device?.unplug(w, index + 1, false);
        }
        const stays = linesOfState(w);

        const members: Member[] = [];
        const servers = new Map<Member, ChildProcess>();
        for (const way of ways.keys())
          for (const [index, side] of SIDES.entries()) {
            const number = 2 * way + index + 3;
            subject.device?.plug(w, number);
            const member = host.add(side, container(w, `c${number}`), number, chain(number), ifName);
            const server = await subject.start?.(w, member, t);
            if (server) servers.set(member, server);
            members.push(member);
          }
        subject.works(w, members);
        for (const member of members)
          for (const by of SIDES) {
            const error = by === "theirs" ? subject.mistaken?.(member.maker, release) : undefined;
            const said = host.check(by, member, ifName).join();
            assert.match(
              said,
              error ?? /^$/,
              `CHECK by ${by} of ${member.container.id}, of ${member.maker}: ${said}`,
            );
          }

        // The host's state is read once between two steps: each takes its own away, and nothing else.
        let before = linesOfState(w);
        const living = [...members];
        for (const [index, member] of members.entries()) {
          const by = otherOf(member.maker);
          const way = ways[Math.floor(index / 2)]!;
          const title = `${member.container.id} of ${member.maker}, deleted by ${by} ${way}`;
          const { gone } = WAYS[way];
          if (gone) {
            await end(servers.get(member));
            member.container.vanish();
          }
          const limit = limitOf(by, way);
          const errors = host.del(by, member, way, ifName);
          assert.match(errors.join(), limit?.error ?? /^$/, title);
          living.shift();
          const left = (leaves?: RegExp) => {
            const own = without(member.brought, without(member.brought, linesOfState(w)));
            return own.filter((line) => !shared.test(line) && !leaves?.test(line));
          };
          // The kernel takes links down after their namespace has gone.
          await until("nothing to be left", () => left(limit?.leaves).length === 0, {
            explain: () => `${title} leaves ${left(limit?.leaves)}`,
          });
          if (limit?.leaves) assert.notDeepEqual(left(), [], limit.why);
          subject.works(w, living);
          // Runtimes repeat themselves. What was left goes now.
          assert.deepEqual(host.del("ours", member, limit ? knowing(way) : way, ifName), [], title);
          await until("nothing to be left", () => left().length === 0, {
            explain: () => `${title}, and by ours, leaves ${left()}`,
          });
          if (!gone && ifName !== "lo") assert.equal(member.container.link(ifName), undefined, title);
          if (!gone) assert.deepEqual(subject.leftInside?.(member.container) ?? [], [], title);
          const after = linesOfState(w);
          const alien = without(without(before, after), member.brought).filter((line) => !shared.test(line));
          assert.deepEqual(alien, [], `${title}: what is others' stays`);
          subject.device?.unplug(w, member.number, gone);
          before = subject.device ? linesOfState(w) : after;
        }
        assert.deepEqual(linesOfState(w).sort(), stays.sort());
        assert.deepEqual(w.reserved(), {});
      },
    );
}
