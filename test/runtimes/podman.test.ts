import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, ask } from "../e2e/answering.ts";
import { IMAGE } from "./image.ts";
import { PODMAN_PROGRAMS, Podman, page, shows } from "./podman.ts";
import { withPrograms } from "./runtime-host.ts";

// Networks that podman makes, and containers on them.

test("podman: networks", withPrograms(PODMAN_PROGRAMS), async (t) => {
  const podman = await Podman.start(t);
  const { host, outside } = podman;
  await answer(t, outside, 7);

  await t.test(
    "podman: the default network: host, containers and the world beyond are reached",
    podman.case(async () => {
      const [one, two] = [podman.serve("one"), podman.serve("two")];
      const [address] = one.addresses();
      assert.match(address!, /^10\.88\.\d+\.\d+\/16$/);
      assert.deepEqual(one.routes(), ["default via 10.88.0.1 dev eth0", "10.88.0.0/16 dev eth0"]);
      const url = `http://${address!.split("/")[0]}`;
      for (const from of [host, two]) await shows(from, url, "one");
      assert.ok(one.pings("10.88.0.1") && one.pings("192.0.2.2"));
      // The world sees the host's address.
      for (const transport of ["tcp", "udp"] as const)
        assert.equal(ask(one, "192.0.2.2", 7, transport), "outside 192.0.2.1");
      assert.equal(podman.must("exec", "two", "wget", "-q", "-O", "-", url), "one");
      podman.remove("one", "two");
    }),
  );

  await t.test(
    "podman: a network with its own subnet, range and gateway",
    podman.case(async () => {
      const list = podman.network(
        "office",
        ...["--disable-dns", "--subnet=10.97.1.0/24", "--ip-range=10.97.1.64/28", "--gateway=10.97.1.254"],
      );
      assert.deepEqual(
        list.plugins.map(({ type }: { type: string }) => type),
        ["bridge", "portmap", "firewall", "tuning"],
      );
      const [one, two] = [podman.serve("one", "--net=office"), podman.serve("two", "--net=office")];
      assert.deepEqual(
        [one, two].map((each) => each.addresses()),
        [["10.97.1.65/24"], ["10.97.1.66/24"]],
      );
      assert.ok(one.routes().includes("default via 10.97.1.254 dev eth0"));
      await shows(two, "http://10.97.1.65", "one");
      assert.equal(ask(one, "192.0.2.2", 7), "outside 192.0.2.1");
      podman.remove("one", "two");
      podman.must("network", "rm", "office");
    }),
  );

  await t.test(
    "podman: a network with IPv4 and IPv6",
    podman.case(async () => {
      podman.network("both", "--ipv6", "--subnet=10.97.2.0/24", "--subnet=fd97:2::/64");
      const [one, two] = [podman.serve("one", "--net=both"), podman.serve("two", "--net=both")];
      assert.deepEqual(one.addresses(), ["10.97.2.2/24", "fd97:2::2/64"]);
      assert.deepEqual(one.routes(6), ["fd97:2::/64 dev eth0", "default via fd97:2::1 dev eth0"]);
      for (const from of [host, two])
        for (const url of ["http://10.97.2.2", "http://[fd97:2::2]"]) await shows(from, url, "one");
      for (const [server, seen] of [
        ["192.0.2.2", "192.0.2.1"],
        ["fd99::2", "fd99::1"],
      ] as const)
        for (const transport of ["tcp", "udp"] as const)
          assert.equal(ask(one, server, 7, transport), `outside ${seen}`);
      podman.remove("one", "two");
      podman.must("network", "rm", "both");
    }),
  );

  await t.test(
    "podman: an internal network has no way out",
    podman.case(async () => {
      podman.network("inner", "--internal", "--subnet=10.97.3.0/24");
      const [one, two] = [podman.serve("one", "--net=inner"), podman.serve("two", "--net=inner")];
      assert.deepEqual(one.routes(), ["10.97.3.0/24 dev eth0"]);
      await shows(two, `http://${one.addresses()[0]!.split("/")[0]}`, "one");
      assert.equal(one.pings("192.0.2.2", 1), false);
      podman.remove("one", "two");
      podman.must("network", "rm", "inner");
    }),
  );

  await t.test(
    "podman: isolated networks do not reach one another",
    podman.case(async () => {
      for (const [name, subnet] of [
        ["east", "10.97.4.0/24"],
        ["west", "10.97.5.0/24"],
      ] as const)
        podman.network(name, "--opt=isolate=true", "--subnet", subnet);
      podman.serve("one", "--net=east");
      const [two, three] = [podman.serve("two", "--net=east"), podman.serve("three", "--net=west")];
      await shows(two, "http://10.97.4.2", "one");
      await shows(host, "http://10.97.4.2", "one");
      assert.equal(page(three, "http://10.97.4.2", 1), "");
      assert.equal(ask(three, "192.0.2.2", 7), "outside 192.0.2.1");
      podman.remove("one", "two", "three");
      podman.must("network", "rm", "east", "west");
    }),
  );

  await t.test(
    "podman: a network with an MTU",
    podman.case(() => {
      podman.network("narrow", "--opt=mtu=1400", "--subnet=10.97.6.0/24");
      assert.equal(podman.serve("one", "--net=narrow").link().mtu, 1400);
      podman.remove("one");
      podman.must("network", "rm", "narrow");
    }),
  );

  await t.test(
    "podman: a network in a VLAN",
    podman.case(async (t) => {
      const { code } = host.exec(["ip", "link", "add", "vlans", "type", "bridge", "vlan_filtering", "1"]);
      if (code !== 0) return t.skip("NOT RUN: bridges of this kernel have no VLANs");
      host.must("ip", "link", "delete", "vlans");
      podman.network("vlan5", "--opt=vlan=5", "--subnet=10.97.7.0/24");
      podman.serve("one", "--net=vlan5");
      await shows(podman.serve("two", "--net=vlan5"), "http://10.97.7.2", "one");
      podman.remove("one", "two");
      podman.must("network", "rm", "vlan5");
    }),
  );

  /** A network of the host's card lan0, on which `outside` is too. */
  async function withLan(hostAddress: string, machine: string, body: () => void | Promise<void>) {
    host.must(..."ip link add lan0 type veth peer name lan1 netns outside".split(" "));
    try {
      if (hostAddress !== "") host.must("ip", "address", "add", hostAddress, "dev", "lan0");
      outside.must("ip", "address", "add", machine, "dev", "lan1");
      host.must("ip", "link", "set", "lan0", "up");
      outside.must("ip", "link", "set", "lan1", "up");
      await body();
    } finally {
      host.must("ip", "link", "delete", "lan0");
    }
  }

  await t.test(
    "podman: a macvlan network: containers are in the network of its parent",
    podman.case(() =>
      withLan("", "10.97.8.254/24", async () => {
        const subnet = ["--subnet=10.97.8.0/24", "--gateway=10.97.8.254"];
        podman.network("lan", "--driver=macvlan", "--opt=parent=lan0", ...subnet);
        const mac = "02:00:5e:00:53:01";
        const one = podman.serve("one", "--net=lan", "--ip=10.97.8.7", "--mac-address", mac);
        const two = podman.serve("two", "--net=lan");
        assert.equal(one.link().address, mac);
        for (const from of [outside, two]) await shows(from, "http://10.97.8.7", "one");
        // No masquerading: the other machine sees the container itself.
        assert.equal(ask(one, "10.97.8.254", 7), "outside 10.97.8.7");
        podman.remove("one", "two");
        podman.must("network", "rm", "lan");
      }),
    ),
  );

  await t.test(
    "podman: an ipvlan network: containers share the address of the card",
    podman.case((t) =>
      withLan("10.97.9.1/24", "10.97.9.254/24", async () => {
        if (host.exec(["ip", "link", "add", "ipv0", "link", "lan0", "type", "ipvlan"]).code !== 0)
          return t.skip("NOT RUN: this kernel has no ipvlan");
        host.must("ip", "link", "delete", "ipv0");
        // podman 4.3 takes no parent for ipvlan: it is the link of the default route.
        host.must("ip", "route", "add", "default", "via", "10.97.9.254");
        podman.network("lan", "--driver=ipvlan", "--subnet=10.97.9.0/24", "--gateway=10.97.9.254");
        const one = podman.serve("one", "--net=lan", "--ip=10.97.9.7");
        await shows(outside, "http://10.97.9.7", "one");
        assert.equal(ask(one, "10.97.9.254", 7), "outside 10.97.9.7");
        podman.remove("one");
        podman.must("network", "rm", "lan");
      }),
    ),
  );

  await t.test(
    "podman: static addresses and MAC (--ip, --ip6, --mac-address)",
    podman.case(async () => {
      podman.network("both", "--ipv6", "--subnet=10.97.10.0/24", "--subnet=fd97:10::/64");
      const one = podman.serve(
        "one",
        ...["--net=both", "--ip=10.97.10.55", "--ip6=fd97:10::55", "--mac-address=02:00:5e:00:53:02"],
      );
      assert.deepEqual(one.addresses(), ["10.97.10.55/24", "fd97:10::55/64"]);
      assert.equal(one.link().address, "02:00:5e:00:53:02");
      for (const url of ["http://10.97.10.55", "http://[fd97:10::55]"]) await shows(host, url, "one");
      podman.remove("one");
      podman.must("network", "rm", "both");
    }),
  );

  await t.test(
    "podman: two networks on a container, each with address, MAC and interface name (--net NAME:ip=…,mac=…,interface_name=…)",
    podman.case(async () => {
      podman.network("east", "--subnet=10.97.11.0/24");
      podman.network("west", "--subnet=10.97.12.0/24");
      const one = podman.serve(
        "one",
        "--net=east:ip=10.97.11.11,mac=02:00:5e:00:53:03",
        "--net=west:ip=10.97.12.12,interface_name=side0",
      );
      assert.deepEqual(one.addresses(), ["10.97.11.11/24"]);
      assert.equal(one.link().address, "02:00:5e:00:53:03");
      assert.deepEqual(one.addresses("side0"), ["10.97.12.12/24"]);
      await shows(podman.serve("two", "--net=east"), "http://10.97.11.11", "one");
      await shows(podman.serve("three", "--net=west"), "http://10.97.12.12", "one");
      assert.equal(ask(one, "192.0.2.2", 7), "outside 192.0.2.1");
      podman.remove("one", "two", "three");
      podman.must("network", "rm", "east", "west");
    }),
  );

  await t.test(
    "podman: --net=none and --net=host call no plugin",
    podman.case(() => {
      const links = (net: string) =>
        podman.must("run", "--rm", net, IMAGE, "ls", "/sys/class/net").split("\n");
      assert.deepEqual(links("--net=none"), ["lo"]);
      assert.ok(links("--net=host").includes("up0"));
    }),
  );

  await t.test(
    "podman: a network in use is not removed, but with --force; then its bridge is gone",
    podman.case(() => {
      const list = podman.network("office", "--subnet=10.97.13.0/24");
      podman.serve("one", "--net=office");
      const { code, stderr } = podman.exec("network", "rm", "office");
      assert.equal(code, 2);
      assert.match(stderr, /"office" has associated containers with it/);
      assert.ok(host.link(list.plugins[0].bridge));
      podman.must("network", "rm", "--force", "--time=0", "office");
      assert.equal(host.link(list.plugins[0].bridge), undefined);
    }),
  );
});
