import assert from "node:assert/strict";
import { test } from "node:test";
import { addLeavesNothing, delTells, INJECTIONS } from "./injection.ts";
import { bridge, portmap, portsLeft } from "./portmap.ts";
import { type Json, World } from "./world.ts";

// An ADD of portmap that fails leaves nothing, at whichever step; a failing DEL tells.

const configs = {
  maps: portmap(["8080:80", "192.0.2.1:8081:80/udp"]),
  conditions: portmap(["8080:80"], { conditionsV4: ["ip saddr 192.0.2.0/24"] }),
};

/** Settings are made by netlink: no file is written. */
const injections = [...INJECTIONS.filter(([call]) => call !== "write"), ["socket", "EMFILE"]] as const;

for (const [name, config] of Object.entries(configs))
  for (const injection of name === "maps" ? injections : injections.slice(0, 2))
    test(`ADD (${name}), where each ${injection[0]} fails once with ${injection[1]}, leaves nothing`, async (t) => {
      const world = await World.start(t);
      const container = world.container();
      const prevResult = world.add(bridge, container);
      assert.ok(addLeavesNothing({ world, container, config, settings: { prevResult } }, injection) > 0);
    });

for (const [name, config] of Object.entries(configs))
  test(`DEL (${name}) tells of each sendto that fails, and the next DEL removes the rest`, async (t) => {
    const world = await World.start(t);
    const container = world.container();
    const prevResult = world.add(bridge, container);
    assert.ok(delTells({ world, container, config, settings: { prevResult } }, "sendto") > 0);
  });

for (const verb of ["DEL", "GC"])
  test(`ADD is killed at each send: ${verb} removes what it left`, async (t) => {
    const world = await World.start(t);
    const container = world.container();
    const prevResult = world.add(bridge, container);
    for (let when = 1; ; when++) {
      const wrap = ["strace", "-qq", "-o", "/dev/null", "-e", `inject=sendto:signal=KILL:when=${when}`];
      const { code } = world.call("ADD", configs.maps, container, { prevResult, wrap });
      if (verb === "GC") world.gc({ type: "portmap" }, []);
      else world.del(configs.maps, container, { prevResult });
      assert.deepEqual(portsLeft(world), [], `killed at ${when}`);
      if (code === 0) {
        assert.ok(when > 5);
        break;
      }
    }
  });

for (const flush of [
  "ruleset",
  "table ip cni_hostport",
  "chain ip cni_hostport hostports",
  "chain ip cni_hostport hostports_all",
])
  test(`after nft flush ${flush}: DEL succeeds, and the next ADD, whosever, makes it whole`, async (t) => {
    const world = await World.start(t);
    const [c1, c2] = [world.container("c1"), world.container("c2")];
    const [first, second] = [world.add(bridge, c1), world.add(bridge, c2)];
    const other = portmap(["9000:80"]);
    for (const isBefore of [true, false]) {
      world.add(configs.maps, c1, { prevResult: first });
      world.must("nft", "flush", ...flush.split(" "));
      if (isBefore) world.del(configs.maps, c1, { prevResult: first });
      world.add(other, c2, { prevResult: second });
      world.check(other, c2, second);
      world.del(other, c2, { prevResult: second });
      if (!isBefore) world.del(configs.maps, c1, { prevResult: first });
      assert.deepEqual(portsLeft(world), []);
    }
  });

test("what is wrong is refused, and nothing is left", async (t) => {
  const w = await World.start(t);
  const c1 = w.container();
  const prevResult = w.add(bridge, c1);
  const before = w.state();
  const one = portmap(["8080:80"]);
  const rows: [config: Json, msg: string | RegExp, without?: boolean][] = [
    [one, "must be called as chained plugin", true],
    [portmap(["0:80"]), "Invalid host port number: 0"],
    [portmap(["8080:0"]), "Invalid container port number: 0"],
    [portmap(["70000:80"]), "Invalid host port number: 70000"],
    [
      portmap(["8080:80/icmp"]),
      /portMappings\[0\]\.protocol: expected one of "tcp", "udp", "sctp", got "icmp"$/,
    ],
    [portmap(["8080:80", "8080:81"]), "host port 8080/tcp is mapped twice, to the ports 80 and 81"],
    [portmap(["0.0.0.0:8080:80", "8080:81"]), "host port 8080/tcp is mapped twice, to the ports 80 and 81"],
    [{ ...one, backend: "ipvs" }, /backend: expected one of "nftables", "iptables", got "ipvs"$/],
    [{ ...one, markMasqBit: 32 }, "MasqMarkBit must be between 0 and 31"],
    [
      { ...one, markMasqBit: 5, externalSetMarkChain: "MARK" },
      "Cannot specify externalSetMarkChain and markMasqBit",
    ],
    [
      {
        ...one,
        backend: "iptables",
        conditionsV4: ["ip", "saddr", "1.2.3.4"],
        conditionsV6: ["tcp", "dport", "1"],
      },
      "iptables backend was requested but configuration contains nftables-specific options [conditionsV4 conditionsV6]",
    ],
    [
      {
        ...one,
        backend: "nftables",
        externalSetMarkChain: "MARK",
        conditionsV4: ["-s", "1.2.3.4"],
        conditionsV6: ["!", "-s", "12::34"],
      },
      "nftables backend was requested but configuration contains iptables-specific options [externalSetMarkChain conditionsV4 conditionsV6]",
    ],
    [
      { ...one, conditionsV4: ["ip", "saddr", "fd01::1"] },
      'conditionsV4: "ip saddr fd01::1" is not understood',
    ],
  ];
  for (const [config, msg, without] of rows) {
    const error = w.refused("ADD", config, c1, without ? {} : { prevResult });
    assert.equal(error.code, 7, JSON.stringify(error));
    if (typeof msg === "string") assert.equal(error.msg, msg);
    else assert.match(error.msg, msg);
    assert.deepEqual(w.state(), before);
  }
});
