import { type Host, O_RDONLY, O_WRONLY } from "../../src/host/host.ts";
import { type Case, equal, fails, throws, truthy } from "./case.ts";
import { startShell } from "./processes.ts";

const CLONE_NEWNET = 0x40000000;
const MS_BIND = 4096;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const OWN = "/proc/thread-self/ns/net";

export const namespaceCases: readonly Case[] = [
  {
    name: "newnetns gives a namespace, and what is none is told",
    level: "fake",
    run({ host, directory }) {
      const { sys } = host;
      const ns = newNamespace(host);
      equal(sys.nstype(ns), CLONE_NEWNET);
      host.close(ns);
      fails(sys.nstype(ns), "EBADF");
      host.writeFile(`${directory}/file`, "");
      const file = host.open(`${directory}/file`, O_RDONLY);
      fails(sys.nstype(file), "EINVAL");
      fails(sys.socket(file, AF_NETLINK, SOCK_RAW, 0), "EINVAL");
      fails(sys.socket(ns + 1000, AF_NETLINK, SOCK_RAW, 0), "EBADF");
      host.close(file);
    },
  },
  {
    name: "files and sockets of another namespace, while ours stays",
    level: "kernel",
    run({ host }) {
      const { sys } = host;
      const before = host.readLink(OWN);
      const ns = newNamespace(host);
      equal(host.readLink(OWN), before, "after newnetns");
      const setting = "/proc/sys/net/ipv4/conf/lo/forwarding";
      const own = host.readFile(setting);
      const fd = host.openIn(ns, setting, O_WRONLY);
      host.write(fd, host.encode("1"));
      host.close(fd);
      equal(readIn(host, ns, setting), "1\n");
      equal(host.readFile(setting), own, "our own setting");
      equal(host.readLink(OWN), before, "after openIn");
      equal(linksIn(host, ns), 1, "only lo");
      equal(host.readLink(OWN), before, "after socket");
      throws(() => host.openIn(ns, "/proc/sys/net/no", O_RDONLY), "ENOENT");
      fails(sys.socket(ns, AF_NETLINK, SOCK_RAW, 9999), "EPROTONOSUPPORT");
      equal(host.readLink(OWN), before, "after errors");
      host.close(ns);
    },
  },
  {
    name: "start in a namespace: its links, its /sys, and nothing of it for us",
    level: "kernel",
    run({ host, directory }) {
      const before = host.readLink(OWN);
      const ns = newNamespace(host);
      const script = `exec > ${directory}/seen; readlink /proc/self/ns/net; ls /sys/class/net; echo done`;
      equal(startShell(host, script, { netns: ns }), 0);
      const [seen, ...rest] = host.readFile(`${directory}/seen`).split("\n");
      equal(seen, `net:[${host.statOpen(ns).ino}]`);
      equal(rest.slice(-2), ["done", ""]);
      equal(host.readLink(OWN), before);
      const program = "/bin/sh";
      fails(host.sys.start(9999, program, "", "", ""), "EBADF");
      host.close(ns);
    },
  },
  {
    name: "start with binds: seen by the child alone",
    level: "kernel",
    run({ host, directory }) {
      host.writeFile(`${directory}/target`, "ours");
      host.writeFile(`${directory}/source`, "bound");
      const ns = newNamespace(host);
      for (const netns of [-1, ns]) {
        const binds = [`${directory}/target`, `${directory}/source`];
        const script = `cat ${directory}/target > ${directory}/seen`;
        equal(startShell(host, script, { netns, binds }), 0);
        equal(host.readFile(`${directory}/seen`), "bound");
        equal(host.readFile(`${directory}/target`), "ours");
      }
      const missing = `${directory}/no\0${directory}/source\0`;
      fails(host.sys.start(-1, "/bin/sh", "", "", missing), "ENOENT");
      host.close(ns);
    },
  },
  {
    name: "a namespace is kept by a mount, as ip netns does it",
    level: "kernel",
    run({ host, directory }) {
      const { sys } = host;
      const ns = newNamespace(host);
      const name = `${directory}/name`;
      host.writeFile(name, "");
      equal(sys.mount(`/proc/self/fd/${ns}`, name, "none", MS_BIND), 0);
      const { ino } = host.statOpen(ns);
      host.close(ns);
      const again = host.open(name, O_RDONLY);
      equal(host.statOpen(again).ino, ino);
      equal(sys.nstype(again), CLONE_NEWNET);
      host.close(again);
      equal(sys.umount(name, 0), 0);
      host.removeFile(name);
    },
  },
];

function newNamespace(host: Host): number {
  const ns = host.sys.newnetns();
  truthy(ns >= 0, `a new namespace (${ns})`);
  return ns;
}

function readIn(host: Host, ns: number, path: string): string {
  const fd = host.openIn(ns, path, O_RDONLY);
  const text = host.decode(host.readAll(fd, 1 << 20, 10_000));
  host.close(fd);
  return text;
}

/** How many links a namespace has, by an rtnetlink dump written out by hand. */
function linksIn({ sys }: Host, ns: number): number {
  const [RTM_GETLINK, RTM_NEWLINK] = [18, 16];
  const NLM_F_REQUEST_DUMP = 0x301;
  const NETLINK_ROUTE = 0;
  const fd = sys.socket(ns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  const request = new DataView(new ArrayBuffer(32));
  request.setUint32(0, 32, true);
  request.setUint16(4, RTM_GETLINK, true);
  request.setUint16(6, NLM_F_REQUEST_DUMP, true);
  equal(sys.send(fd, new Uint8Array(request.buffer), 10_000), 32);
  const answer = new Uint8Array(32768);
  const length = sys.recv(fd, answer, 10_000);
  const view = new DataView(answer.buffer);
  let links = 0;
  for (let at = 0; at < length; at += (view.getUint32(at, true) + 3) & ~3)
    if (view.getUint16(at + 4, true) === RTM_NEWLINK) links++;
  sys.close(fd);
  return links;
}
