import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { plumb } from "../programs.ts";
import { DhcpNetwork, needs, SERVER, SERVER6 } from "./dhcp-network.ts";
import type { Container, Json } from "./world.ts";

// IPv6 as a user has it: `plumb run`, a network that is renumbered, routers that come and go. The tests wait side by side.

const together = { concurrency: true };
const PREFIX = "prefix fd66::/64 { AdvValidLifetime 3600; AdvPreferredLifetime 1800; };";
/** Routers are asked again within seconds: it is half of the shortest time that one of them gives. */
const SOON = "AdvDefaultLifetime 8;";

/** The configuration of an interface on the cable, or on a bridge with the cable in it. */
const kinds: [kind: string, configOf: (n: DhcpNetwork) => Json][] = [
  ["macvlan", () => ({ type: "macvlan", master: "phys" })],
  ["bridge", (n) => n.bridge()],
];
const auto = { type: "dhcp", ipv6: "auto" };
const slaac: Json = { type: "macvlan", master: "phys", ipam: { type: "dhcp", ipv4: "none", ipv6: "slaac" } };

async function add(config: Json, container: Container): Promise<Json> {
  const { code, output } = await container.world.start("ADD", config, container);
  assert.equal(code, 0, JSON.stringify(output));
  return output;
}

/** Default routes of IPv6. */
const defaults = (container: Container) => container.routes(6).filter((route) => /^default/.test(route));

describe("IPv6", together, () => {
  for (const [kind, configOf] of kinds)
    test(
      `plumb run on ${kind}, with both families: addresses, routes, resolv.conf`,
      needs("dnsmasq", "radvd"),
      async (t) => {
        const n = await DhcpNetwork.start(t);
        const { world: w } = n;
        await n.dnsmasq(["10.66.0.50", "10.66.0.60"], "--dhcp-option=6,192.0.2.53");
        await n.radvd(PREFIX, "route fd77::/48 {};", "RDNSS fd66::53 fe80::53 {};", "DNSSL six.example {};");
        const daemon = await n.daemon();
        const NETCONFPATH = join(w.bin, "net.d");
        mkdirSync(NETCONFPATH);
        const network = { cniVersion: "1.1.0", name: "office", plugins: [{ ...configOf(n), ipam: auto }] };
        writeFileSync(join(NETCONFPATH, "10-office.conflist"), JSON.stringify(network));
        const script = `cat /etc/resolv.conf; ip -o address show eth0; ip -6 route; ping -c1 -w5 ${SERVER6} && ping -c1 -w5 ${SERVER}`;
        const command = [plumb, "run", "--net", "office", "--", "sh", "-c", script];
        const { code, stdout, stderr } = w.exec(command, { env: { NETCONFPATH, CNI_PATH: w.bin } });
        assert.equal(code, 0, stdout + stderr + daemon.output);
        assert.equal(
          stdout
            .split("\n")
            .filter((line) => /^(nameserver|search) /.test(line))
            .join("; "),
          "nameserver 192.0.2.53; nameserver fd66::53; nameserver fe80::53%eth0; search six.example",
        );
        assert.match(stdout, /inet 10\.66\.0\.50\/24 /);
        assert.match(stdout, /inet6 fd66::[0-9a-f:]+\/64 scope global/);
        for (const destination of ["default", "fd77::/48"])
          assert.match(stdout, new RegExp(`^${destination} via fe80::[0-9a-f:]+ dev eth0`, "m"));
        assert.deepEqual([n.leases(), n.records()], [[], []]);
      },
    );

  for (const [kind, configOf] of kinds)
    test(`${kind} in a container where IPv6 is off until it is asked for`, needs("radvd"), async (t) => {
      const n = await DhcpNetwork.start(t);
      await n.radvd(PREFIX);
      await n.daemon();
      const c1 = n.world.container();
      for (const scope of ["all", "default"])
        c1.must("sysctl", "-qw", `net.ipv6.conf.${scope}.disable_ipv6=1`);
      const config = { ...configOf(n), ipam: slaac.ipam };
      const result = await add(config, c1);
      assert.deepEqual(c1.addresses(), [result.ips[0].address]);
      assert.equal(defaults(c1).length, 1);
      assert.equal(c1.pings(SERVER6), true);
      n.world.check(config, c1, result);
    });

  test("an error of ADD tells which family has no answer", needs("dnsmasq", "radvd"), async (t) => {
    const both: Json = { type: "macvlan", master: "phys", ipam: auto };
    for (const [family, start, details] of [
      [6, (n: DhcpNetwork) => n.dnsmasq(), "IPv6: no router answers."],
      [4, (n: DhcpNetwork) => n.radvd(PREFIX), "IPv4: no DHCP server answers."],
    ] as const) {
      const n = await DhcpNetwork.start(t);
      await start(n);
      await n.daemon("-resendtimeout", "2s");
      const { output } = await n.world.start("ADD", both, n.world.container());
      assert.deepEqual([output.code, output.details], [11, details], `without IPv${family}`);
    }
  });

  test(
    "by renumbering: the old address is deprecated, the new one is spoken from; over a restart too",
    needs("radvd"),
    async (t) => {
      const n = await DhcpNetwork.start(t);
      n.server.must("ip", "address", "add", "fd88::1/64", "dev", "wire");
      const router = await n.radvd(PREFIX, SOON);
      let daemon = await n.daemon();
      const c1 = n.world.container();
      const [{ address }] = (await add(slaac, c1)).ips;
      // What a container has taken off stays off.
      const c2 = n.world.container("c2");
      const [{ address: removed }] = (await add(slaac, c2)).ips;
      c2.must("ip", "address", "delete", removed, "dev", "eth0");
      await router.stop();
      await n.radvd(PREFIX.replace("1800", "0"), "prefix fd88::/64 {};", SOON);
      const deprecated = () => c1.must("ip", "-6", "-o", "address", "show", "deprecated");
      await daemon.until("both addresses", () => c1.addresses().length === 2 && deprecated());
      assert.match(deprecated(), new RegExp(`inet6 ${address} `));
      await daemon.until("the new address alone", () => /^fd88:[^,]*$/.test(c2.addresses().join()));
      const source = () => c1.ip("-6", "route", "get", "fd77::1")[0].prefsrc;
      assert.match(source(), /^fd88:/);
      await daemon.stop("SIGKILL");
      daemon = await n.daemon();
      // It asks the routers again when half of their 8 s is over, and finds both addresses as they are.
      const left = () => JSON.parse(n.world.must(plumb, "dhcp", "leases", "-json"))[0].leases[0].renewsIn;
      let last = left();
      await daemon.until("an answer of the router", () => {
        const before = last;
        last = left();
        return last > before;
      });
      assert.match(deprecated(), new RegExp(`inet6 ${address} `));
      assert.match(source(), /^fd88:/);
    },
  );

  test(
    "a router that goes: its route ends with its time, the address stays; another one is used",
    needs("radvd"),
    async (t) => {
      const n = await DhcpNetwork.start(t);
      const router = await n.radvd(PREFIX, SOON);
      const daemon = await n.daemon();
      const c1 = n.world.container();
      const { ips } = await add(slaac, c1);
      assert.equal(defaults(c1).length, 1);
      // Without a word, as when its plug is pulled.
      await router.stop("SIGKILL");
      await daemon.until("the end of its route", () => defaults(c1).length === 0);
      assert.deepEqual(c1.addresses(), [ips[0].address]);
      await n.radvd(PREFIX, SOON);
      await daemon.until("the next router", () => defaults(c1).length === 1);
    },
  );
});
