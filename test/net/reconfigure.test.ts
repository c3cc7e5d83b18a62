import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseCidr } from "../../src/address/cidr.ts";
import { parseIp } from "../../src/address/ip.ts";
import { configureInterface } from "../../src/net/configure.ts";
import { Namespace } from "../../src/net/namespace.ts";
import { type Layer3, reconfigure } from "../../src/net/reconfigure.ts";
import { createLink } from "../../src/netlink/link.ts";
import { veth } from "../../src/netlink/links/veth.ts";
import type { IpConfig, Route } from "../../src/spec/result.ts";
import { TestNamespace } from "../netlink/namespaces.ts";

/** `10.1.0.2/24 via 10.1.0.1`; the gateway may be missing. */
function address(text: string): IpConfig {
  const [cidr, gateway] = text.split(" via ");
  return { address: parseCidr(cidr!)!, ...(gateway && { gateway: parseIp(gateway)! }) };
}

/** `0.0.0.0/0 via 10.1.0.1 metric 5`; without gateway, and without `any`, it is on the link. */
function route(text: string): Route {
  const [, dst, gw, metric] = /^(\S+)(?: via (\S+?))?(?: metric (\d+))?$/.exec(text)!;
  return {
    dst: parseCidr(dst!)!,
    ...(gw === undefined ? { scope: 253 } : gw !== "any" && { gw: parseIp(gw)! }),
    ...(metric !== undefined && { priority: Number(metric) }),
  };
}

const layer3 = (ips: readonly string[], routes: readonly string[] = []): Layer3 => ({
  ips: ips.map(address),
  routes: routes.map(route),
});

class Container {
  readonly space: TestNamespace;
  readonly netns: Namespace;

  constructor(t: TestContext) {
    this.space = new TestNamespace(t);
    this.netns = new Namespace(this.space.host, this.space.fd, `/run/netns/${this.space.name}`);
    t.after(() => this.netns.route.close());
  }

  /** A veth pair NAME and NAMEp with both ends up, and on NAME what IPAM said. */
  connect(name: string, { ips = [], routes = [] }: Layer3): void {
    this.space.socket.execute([createLink(veth({ name: `${name}p` }), { name })]);
    this.space.run("ip", "link", "set", `${name}p`, "up");
    configureInterface(this.netns, this.space.link(name), { ips, routes });
  }

  reconfigure(name: string, before: Layer3, after: Layer3): void {
    reconfigure(this.netns, this.space.link(name), before, after);
  }

  ip(line: string): void {
    this.space.run("ip", ...line.split(" "));
  }

  addresses(name: string): string[] {
    const [link] = this.space.ip("address", "show", "dev", name);
    return link.addr_info
      .filter(({ scope }: { scope: string }) => scope === "global")
      .map(({ local, prefixlen }: { local: string; prefixlen: number }) => `${local}/${prefixlen}`);
  }

  /** All but those that come with addresses. */
  routes(): string[] {
    const all = [...this.space.ip("-4", "route", "show"), ...this.space.ip("-6", "route", "show")];
    return all
      .filter(({ protocol }) => protocol !== "kernel")
      .map(({ dst, gateway, dev, metric }) =>
        [
          dst,
          ...(gateway ? [`via ${gateway}`] : []),
          `dev ${dev}`,
          ...(metric ? [`metric ${metric}`] : []),
        ].join(" "),
      );
  }
}

const V4 = layer3(["10.1.0.2/24 via 10.1.0.1"], ["0.0.0.0/0 via 10.1.0.1"]);
const V6 = layer3(["fd01::2/64 via fe80::1"], ["::/0 via fe80::1"]);

const changes: [what: string, before: Layer3, after: Layer3, addresses: string[], routes: string[]][] = [
  ["nothing", V4, V4, ["10.1.0.2/24"], ["default via 10.1.0.1 dev eth0"]],
  [
    "another address of the network",
    V4,
    layer3(["10.1.0.3/24 via 10.1.0.1"], ["0.0.0.0/0 via 10.1.0.1"]),
    ["10.1.0.3/24"],
    ["default via 10.1.0.1 dev eth0"],
  ],
  [
    "an address of another network",
    V4,
    layer3(["10.2.0.3/16 via 10.2.0.1"], ["0.0.0.0/0 via 10.2.0.1"]),
    ["10.2.0.3/16"],
    ["default via 10.2.0.1 dev eth0"],
  ],
  [
    "a longer prefix",
    V4,
    layer3(["10.1.0.2/28 via 10.1.0.1"], ["0.0.0.0/0 via 10.1.0.1"]),
    ["10.1.0.2/28"],
    ["default via 10.1.0.1 dev eth0"],
  ],
  [
    "a shorter prefix, and a gateway that it makes reachable",
    V4,
    layer3(["10.1.0.2/16 via 10.1.9.1"], ["0.0.0.0/0 via any"]),
    ["10.1.0.2/16"],
    ["default via 10.1.9.1 dev eth0"],
  ],
  [
    "the gateway",
    V4,
    layer3(["10.1.0.2/24 via 10.1.0.9"], ["0.0.0.0/0 via 10.1.0.9"]),
    ["10.1.0.2/24"],
    ["default via 10.1.0.9 dev eth0"],
  ],
  [
    "the gateway, with a metric",
    layer3(["10.1.0.2/24"], ["0.0.0.0/0 via 10.1.0.1 metric 50"]),
    layer3(["10.1.0.2/24"], ["0.0.0.0/0 via 10.1.0.9 metric 50"]),
    ["10.1.0.2/24"],
    ["default via 10.1.0.9 dev eth0 metric 50"],
  ],
  [
    "more and fewer routes, a gateway outside of the network",
    layer3(["10.1.0.2/24"], ["0.0.0.0/0 via 10.1.0.1", "10.8.0.0/16 via 10.1.0.7"]),
    layer3(["10.1.0.2/24"], ["10.5.0.1/32", "0.0.0.0/0 via 10.5.0.1", "10.9.0.0/16 via 10.1.0.7"]),
    ["10.1.0.2/24"],
    ["default via 10.5.0.1 dev eth0", "10.5.0.1 dev eth0", "10.9.0.0/16 via 10.1.0.7 dev eth0"],
  ],
  ["all is lost", V4, {}, [], []],
  ["all is there again", {}, V4, ["10.1.0.2/24"], ["default via 10.1.0.1 dev eth0"]],
  ["nothing", V6, V6, ["fd01::2/64"], ["default via fe80::1 dev eth0 metric 1024"]],
  [
    "another address of the network, another router",
    V6,
    layer3(["fd01::3/64 via fe80::9"], ["::/0 via fe80::9"]),
    ["fd01::3/64"],
    ["default via fe80::9 dev eth0 metric 1024"],
  ],
  [
    "an address of another network",
    V6,
    layer3(["fd02::3/64"], ["::/0 via fe80::1"]),
    ["fd02::3/64"],
    ["default via fe80::1 dev eth0 metric 1024"],
  ],
  [
    "another length of the prefix",
    V6,
    layer3(["fd01::2/128"], ["::/0 via fe80::1"]),
    ["fd01::2/128"],
    ["default via fe80::1 dev eth0 metric 1024"],
  ],
  [
    "more and fewer routes, one of the link",
    layer3(["fd01::2/64"], ["fd08::/16 via fe80::7", "::/0 via fe80::1 metric 50"]),
    layer3(["fd01::2/64"], ["fd07::/64", "fd09::/32 via fe80::7", "::/0 via fe80::2 metric 50"]),
    ["fd01::2/64"],
    [
      "fd07::/64 dev eth0 metric 1024",
      "fd09::/32 via fe80::7 dev eth0 metric 1024",
      "default via fe80::2 dev eth0 metric 50",
    ],
  ],
  ["all is lost", V6, {}, [], []],
  ["all is there again", {}, V6, ["fd01::2/64"], ["default via fe80::1 dev eth0 metric 1024"]],
  [
    "both families at once",
    { ips: [...V4.ips!, ...V6.ips!], routes: [...V4.routes!, ...V6.routes!] },
    layer3(["10.1.0.3/24", "fd01::3/64"], ["0.0.0.0/0 via 10.1.0.1", "::/0 via fe80::2"]),
    ["10.1.0.3/24", "fd01::3/64"],
    ["default via 10.1.0.1 dev eth0", "default via fe80::2 dev eth0 metric 1024"],
  ],
];
for (const [what, before, after, addresses, routes] of changes)
  test(`reconfigured: ${[...(before.ips ?? []), ...(after.ips ?? [])][0]!.address}, ${what}`, (t) => {
    const container = new Container(t);
    container.connect("eth0", before);
    container.reconfigure("eth0", before, after);
    assert.deepEqual([container.addresses("eth0"), container.routes()], [addresses, routes]);
    // A second time, as after a crash in between, nothing changes.
    container.reconfigure("eth0", before, after);
    assert.deepEqual([container.addresses("eth0"), container.routes()], [addresses, routes]);
  });

test("a new address is as configureInterface would have set it", (t) => {
  const container = new Container(t);
  const after = layer3(["10.1.0.3/24", "fd01::3/64"]);
  container.connect("eth0", { ips: [...V4.ips!, ...V6.ips!] });
  container.reconfigure("eth0", { ips: [...V4.ips!, ...V6.ips!] }, after);
  const fresh = new Container(t);
  fresh.connect("eth0", after);
  const shown = ({ space }: Container) =>
    space
      .ip("address", "show", "dev", "eth0")[0]
      .addr_info.filter(({ scope }: { scope: string }) => scope === "global");
  assert.deepEqual(shown(container), shown(fresh));
});

/** Another network of the container, which came first or second. */
const OTHER = layer3(["10.9.0.2/24", "fd09::2/64"], ["0.0.0.0/0 via 10.9.0.1", "::/0 via fe80::9"]);
const DUAL = layer3(["10.1.0.2/24", "fd01::2/64"], ["0.0.0.0/0 via 10.1.0.1", "::/0 via fe80::1"]);
const MOVED = layer3(["10.1.0.2/24", "fd01::2/64"], ["0.0.0.0/0 via 10.1.0.5", "::/0 via fe80::5"]);
for (const [which, order] of [
  ["first", ["eth0", "eth1"]],
  ["second", ["eth1", "eth0"]],
] as const)
  test(`a new gateway of the ${which} network leaves the order of two default routes`, (t) => {
    const container = new Container(t);
    for (const name of order) container.connect(name, name === "eth0" ? DUAL : OTHER);
    const ranks = () => container.routes().map((each) => each.replace(/ via \S+/, ""));
    const before = ranks();
    container.reconfigure("eth0", DUAL, MOVED);
    assert.deepEqual(ranks(), before);
    const by = Object.fromEntries(
      container.routes().map((each) => {
        const [, gateway, dev] = / via (\S+) dev (\S+)/.exec(each)!;
        return [`${dev} ${gateway!.includes(":") ? 6 : 4}`, gateway];
      }),
    );
    assert.deepEqual(by, {
      "eth0 4": "10.1.0.5",
      "eth0 6": "fe80::5",
      "eth1 4": "10.9.0.1",
      "eth1 6": "fe80::9",
    });
    container.reconfigure("eth0", MOVED, {});
    assert.deepEqual(container.addresses("eth0"), []);
    assert.deepEqual(container.addresses("eth1"), ["10.9.0.2/24", "fd09::2/64"]);
    assert.deepEqual(
      container.routes().map((each) => / dev (\S+)/.exec(each)![1]),
      ["eth1", "eth1"],
    );
    container.reconfigure("eth0", {}, DUAL);
    assert.equal(container.routes().length, 4);
    assert.match(container.routes()[0]!, /dev eth1/, "who comes again stands behind");
  });

test("what others have removed or added meanwhile is neither missed nor touched", (t) => {
  const container = new Container(t);
  container.connect("eth0", DUAL);
  for (const line of [
    "route delete default via 10.1.0.1",
    "-6 route delete default via fe80::1",
    "address delete fd01::2/64 dev eth0",
    "address add 10.4.0.1/24 dev eth0",
    "route add default via 10.4.0.9 metric 7",
    "address add 10.1.0.3/24 dev eth0",
  ])
    container.ip(line);
  container.reconfigure(
    "eth0",
    DUAL,
    layer3(["10.1.0.3/24", "fd01::3/64"], ["0.0.0.0/0 via 10.1.0.5", "::/0 via fe80::5"]),
  );
  assert.deepEqual(container.addresses("eth0").sort(), ["10.1.0.3/24", "10.4.0.1/24", "fd01::3/64"]);
  assert.deepEqual(container.routes(), [
    "default via 10.1.0.5 dev eth0",
    "default via 10.4.0.9 dev eth0 metric 7",
    "default via fe80::5 dev eth0 metric 1024",
  ]);
});

test("a container that has taken all metrics of a destination does not keep us for ever", (t) => {
  const container = new Container(t);
  container.connect("eth0", layer3(["2001:db8::2/64"]));
  const lines = Array.from({ length: 200 }, (_, i) => `route add ::/0 dev eth0 metric ${1024 + i}\n`);
  container.space.run("sh", "-ec", `echo '${lines.join("")}' | ip -6 -batch -`);
  const after = layer3(["2001:db8::2/64 via 2001:db8::1"], ["::/0 via 2001:db8::1"]);
  assert.throws(() => container.reconfigure("eth0", layer3(["2001:db8::2/64"]), after), /EEXIST/);
});

test("a link that is down gets the addresses, and no routes", (t) => {
  const container = new Container(t);
  container.connect("eth0", DUAL);
  container.ip("link set eth0 down");
  container.reconfigure(
    "eth0",
    DUAL,
    layer3(["10.1.0.3/24", "fd01::3/64"], ["0.0.0.0/0 via 10.1.0.5", "::/0 via fe80::5"]),
  );
  assert.deepEqual(container.addresses("eth0"), ["10.1.0.3/24", "fd01::3/64"]);
  assert.deepEqual(container.routes(), []);
});

test("a route that the kernel refuses is told, and the old address is gone all the same", (t) => {
  const container = new Container(t);
  container.connect("eth0", V4);
  assert.throws(
    () => container.reconfigure("eth0", V4, layer3(["10.2.0.2/24"], ["0.0.0.0/0 via 192.0.2.1"])),
    /set route 0\.0\.0\.0\/0 via 192\.0\.2\.1 dev eth0/,
  );
  assert.deepEqual(container.addresses("eth0"), ["10.2.0.2/24"]);
});
