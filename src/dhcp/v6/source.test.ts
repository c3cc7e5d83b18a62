import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCidr } from "../../address/cidr.ts";
import { errno } from "../../host/errno.ts";
import { SysError } from "../../host/host.ts";
import { InterfaceGone } from "../container-interface.ts";
import {
  AUTONOMOUS,
  advertisement,
  FOREVER,
  HIGH,
  LOW,
  MANAGED,
  mtu,
  nameservers,
  ON_LINK,
  OTHER,
  prefix,
  route,
} from "../ra/advertisement.node.ts";
import type { Settings } from "../source.ts";
import { type Said, VirtualLink } from "./virtual-link.node.ts";

const DAY = 86_400;
const leased = (text = "fd00:1::d"): Settings => ({
  ips: [{ address: parseCidr(`${text}/128`)! }],
  dns: { nameservers: ["fd00::53"] },
});
/** A router that says what most say. */
const usual = (options: { flags?: number; from?: string; after?: number; valid?: number } = {}): Said => {
  const { flags = 0, valid = DAY, ...rest } = options;
  return { icmp: advertisement({ flags }, prefix("fd00:1::/64", valid)), ...rest };
};
const BOUND = "bound: fd00:1::1234/64; ::/0 via fe80::1";

/** A link with these routers, on which the source has been started. */
function started(wish: ConstructorParameters<typeof VirtualLink>[0], ...routers: Said[]): VirtualLink {
  const link = new VirtualLink(wish);
  link.routers = routers;
  link.call((source) => source.start());
  return link;
}

describe("an IPv6 source by router advertisements", () => {
  it("has an address as soon as nobody else has it", () => {
    const link = started({ ipv6: "slaac" }, usual());
    assert.deepEqual(link.after(1000), [
      "0 prepared",
      "0 routers?",
      "1 who has fd00:1::1234?",
      `51 ${BOUND}`,
    ]);
    const [{ expiresAt, renewAt }] = link.leases as [(typeof link.leases)[number]];
    const begin = link.scheduler.now() - 1000;
    assert.equal(expiresAt, begin + 1 + DAY * 1000);
    assert.equal(renewAt, begin + 51 + 600_000);
  });

  it("needs no probe where none is wished for", () => {
    const link = new VirtualLink({ ipv6: "slaac" }, { probe: 0 });
    link.routers = [usual()];
    link.call((source) => source.start());
    assert.equal(link.after(2).at(-1), `1 ${BOUND}`);
  });

  it("asks again, less and less often, until somebody answers", () => {
    const link = new VirtualLink({ ipv6: "slaac" }, { resendMax: 5000 });
    link.call((source) => source.start());
    assert.deepEqual(link.after(17_001), [
      ...["0 prepared", "0 routers?", "1000 log: no router answers", "1000 routers?", "3000 routers?"],
      ...["7000 routers?", "12000 routers?", "17000 routers?"],
    ]);
    link.routers = [usual()];
    assert.equal(link.after(6000).at(-1), `22051 ${BOUND}`);
  });

  it("waits for the link", () => {
    const link = new VirtualLink({ ipv6: "slaac" });
    link.routers = [usual()];
    link.up = false;
    link.call((source) => source.start());
    assert.deepEqual(link.after(100), ["0 prepared"]);
    link.up = true;
    assert.deepEqual(link.after(61), ["110 routers?", "111 who has fd00:1::1234?", `161 ${BOUND}`]);
    // Without a carrier for long.
    link.up = false;
    link.after(600_000);
    link.up = true;
    assert.match(link.after(600).at(0)!, / routers\?$/);
  });

  it("listens to several routers, then closes its socket and asks again when half of the time is over", () => {
    const link = started({ ipv6: "slaac" }, usual({ valid: 120 }), {
      from: "fe80::2",
      after: 400,
      icmp: advertisement(
        { flags: HIGH, lifetime: 60 },
        prefix("fd00:2::/64", FOREVER, AUTONOMOUS),
        prefix("fd00:3::/64", FOREVER, ON_LINK),
        route("fd00:7::/48", 600, LOW),
        nameservers(600, "fd00:2::53"),
        mtu(1400),
      ),
    });
    const both =
      "bound: fd00:1::1234/64, fd00:2::1234/128; fd00:3::/64 via link; ::/0 via fe80::2; fd00:7::/48 via fe80::2; DNS fd00:2::53; MTU 1400";
    link.after(399);
    assert.equal(link.opened, 1);
    assert.equal(link.after(3000).at(-1), `450 ${both}`);
    link.after(200);
    assert.equal(link.opened, 0);
    link.routers = [];
    // Half of the 60 s of the second router.
    assert.deepEqual(link.after(26_801), ["30400 routers?"]);
    assert.equal(link.opened, 1);
  });

  it("takes away what has run out, and goes on seeking", () => {
    const link = started(
      { ipv6: "slaac" },
      {
        icmp: advertisement({ lifetime: 30 }, prefix("fd00:1::/64", 60), prefix("fd00:2::/64", 90)),
      },
    );
    link.after(1000);
    link.routers = [];
    const told = link.after(100_000).filter((line) => !line.endsWith("routers?"));
    assert.deepEqual(told, [
      "30001 bound: fd00:1::1234/64, fd00:2::1234/64",
      "60001 bound: fd00:2::1234/64",
      "90001 lost: no address is valid any more",
      "91001 log: no router answers",
    ]);
    link.routers = [usual()];
    assert.match(link.after(70_000).at(-1)!, new RegExp(`${BOUND}$`));
  });

  it("keeps no socket for routers that do not answer any more", () => {
    const link = started({ ipv6: "slaac" }, usual());
    link.after(10_000);
    link.routers = [];
    const asked: number[] = [];
    const open: number[] = [];
    for (let second = 10; second < 1400; second++) {
      asked.push(...link.after(1000).map((line) => Math.round(Number.parseInt(line, 10) / 1000)));
      open.push(link.opened);
    }
    // After ten minutes, and then less and less often; each time a second is waited for an answer.
    assert.deepEqual(asked, [600, 605, 614, 631, 664, 729, 858, 1115]);
    assert.ok(Math.max(...open) === 1 && open.filter((sockets) => sockets > 0).length <= 2 * asked.length);
  });

  it("deprecates an address when its prefix is not preferred any more, and makes none of such a prefix", () => {
    const said = (preferred: number, ...more: Uint8Array[]): Said => ({
      icmp: advertisement({}, prefix("fd00:1::/64", DAY, ON_LINK | AUTONOMOUS, preferred), ...more),
    });
    const link = started({ ipv6: "slaac" }, said(60));
    link.after(10_000);
    const deprecated = () => link.leases.at(-1)!.settings.deprecated;
    assert.equal(deprecated(), undefined);
    link.routers = [said(0, prefix("fd00:2::/64", DAY), prefix("fd00:3::/64", DAY, AUTONOMOUS, 0))];
    assert.match(link.after(30_000).at(-1)!, /bound: fd00:1::1234\/64, fd00:2::1234\/64; ::/);
    assert.deepEqual(deprecated(), ["fd00:1::1234"]);
    link.restart();
    link.after(0);
    assert.deepEqual(deprecated(), ["fd00:1::1234"]);
    link.routers = [said(60)];
    link.after(610_000);
    assert.equal(deprecated(), undefined);
    // Nobody says anything any more: its time runs out.
    link.routers = [];
    link.after(60_000);
    assert.deepEqual(deprecated(), ["fd00:1::1234"]);
  });

  it("leaves an address to the host that has it", () => {
    const link = new VirtualLink({ ipv6: "slaac" });
    link.routers = [{ icmp: advertisement({}, prefix("fd00:1::/64", DAY), prefix("fd00:2::/64", DAY)) }];
    link.taken.set("fd00:1::1234", 10);
    link.call((source) => source.start());
    assert.deepEqual(link.after(1000).slice(4), [
      "11 log: fd00:1::1234 is in use by another host",
      "51 bound: fd00:2::1234/64; fd00:1::/64 via link; ::/0 via fe80::1",
    ]);
    // It says so every time.
    assert.deepEqual(link.after(601_000).slice(0, 2), [
      "600051 routers?",
      "600052 bound: fd00:2::1234/64; fd00:1::/64 via link; ::/0 via fe80::1",
    ]);
  });

  it("gives an address up to a host that says late that it has it", () => {
    const link = new VirtualLink({ ipv6: "slaac" });
    link.routers = [usual()];
    link.taken.set("fd00:1::1234", 700);
    link.call((source) => source.start());
    const reason = "fd00:1::1234 is in use by another host";
    assert.deepEqual(link.after(1000).slice(3, 6), [
      `51 ${BOUND}`,
      `701 log: ${reason}`,
      `701 lost: ${reason}`,
    ]);
  });

  it("says why there is no address", () => {
    const link = started({ ipv6: "slaac" }, { icmp: advertisement({}, prefix("fd00:1::/64", DAY, ON_LINK)) });
    assert.deepEqual(link.after(30_000), [
      ...["0 prepared", "0 routers?", "1 log: router fe80::1 advertises no prefix to make an address of"],
      ...["10001 routers?", "20002 routers?"],
    ]);
  });

  it("is not busied by a flood, nor moved by what is no advertisement of a router", () => {
    const flood = Array.from({ length: 100 }, (_, index) =>
      usual({ valid: DAY + index, after: 100 + index }),
    );
    const link = started(
      { ipv6: "slaac" },
      { icmp: new Uint8Array(20) },
      usual({ from: "2001:db8::1" }),
      usual({ valid: 60, after: 2 }),
      ...flood,
    );
    const told = link.after(5000);
    assert.equal(told.filter((line) => line.includes("bound:")).length, 32);
    assert.equal(link.opened, 0);
  });

  it("does not take the MTU where the configuration tells one, nor more than the link has", () => {
    const says = (bytes: number): Said => ({
      icmp: advertisement({}, prefix("fd00:1::/64", DAY), mtu(bytes)),
    });
    assert.equal(started({ ipv6: "slaac", mtu: false }, says(1400)).after(100).at(-1), `51 ${BOUND}`);
    assert.equal(started({ ipv6: "slaac" }, says(9000)).after(100).at(-1), `51 ${BOUND}`);
    assert.equal(started({ ipv6: "slaac" }, says(1500)).after(100).at(-1), `51 ${BOUND}; MTU 1500`);
  });
});

describe("an IPv6 source with DHCPv6", () => {
  it("merges both, whoever comes first", () => {
    const merged = "bound: fd00:1::d/64; ::/0 via fe80::1; DNS fd00::53";
    const first = started({ ipv6: "dhcp" }, usual());
    assert.deepEqual(first.after(100), ["0 prepared", "0 DHCPv6 asked for", "0 routers?"]);
    first.gives(leased());
    assert.deepEqual(first.noted(), [`100 ${merged}`]);

    const last = started({ ipv6: "dhcp" }, usual({ after: 500 }));
    last.after(100);
    last.gives(leased());
    assert.deepEqual(last.noted(), []);
    assert.deepEqual(last.after(1000), [`500 ${merged}`]);
  });

  it("does without routers after a while, and asks for them again later", () => {
    const link = started({ ipv6: "dhcp" });
    link.after(100);
    link.gives(leased());
    assert.deepEqual(link.after(5000).slice(-2), [
      "3100 log: a router advertisement has not come: going on without",
      "3100 bound: fd00:1::d/128; DNS fd00::53",
    ]);
    assert.equal(link.opened, 0);
    // What DHCPv6 says meanwhile does not put it off.
    const told: string[] = [];
    for (let minute = 0; minute < 9; minute++) {
      told.push(...link.after(60_000));
      link.gives(leased());
    }
    link.noted();
    // Less and less often: 4 s after the first one without an answer, 8 s after the next one, …
    const asked = told.filter((line) => line.endsWith("routers?"));
    assert.deepEqual(
      asked.map((line) => Number.parseInt(line, 10)),
      [7100, 16_100, 33_100, 66_100, 131_100, 260_100, 517_100],
    );
    link.routers = [usual()];
    assert.match(link.after(600_000).at(-1)!, /bound: fd00:1::d\/64; ::\/0 via fe80::1; DNS/);
  });

  it("has nothing left when the address is lost", () => {
    const link = started({ ipv6: "dhcp" }, usual());
    link.after(100);
    link.gives(leased());
    link.noted();
    link.dhcp!.lost("the server takes it back");
    assert.deepEqual(link.after(0), ["100 lost: the server takes it back", "100 routers?"]);
    link.after(200);
    link.gives(leased("fd00:1::e"));
    assert.deepEqual(link.noted(), ["300 bound: fd00:1::e/64; ::/0 via fe80::1; DNS fd00::53"]);
  });

  it("ends when one of its parts finds the interface gone", () => {
    const link = started({ ipv6: "dhcp" }, usual());
    link.after(100);
    link.dhcp!.gone("there is no interface eth0");
    assert.deepEqual(link.after(DAY * 1000), ["100 DHCPv6 stopped", "100 gone: there is no interface eth0"]);
    assert.ok(link.scheduler.idle);
  });
});

describe("an IPv6 source that does as the routers say", () => {
  it("asks DHCPv6 for nothing, for DNS, or for an address", () => {
    const asked = (flags: number) =>
      started({ ipv6: "auto" }, usual({ flags }))
        .after(100)
        .filter((line) => line.includes("asked"));
    assert.deepEqual(asked(0), []);
    assert.deepEqual(asked(OTHER), ["1 information asked for"]);
    assert.deepEqual(asked(MANAGED), ["1 DHCPv6 asked for"]);
    assert.deepEqual(asked(MANAGED | OTHER), ["1 DHCPv6 asked for"]);
  });

  it("waits for DHCPv6 a moment", () => {
    const link = started({ ipv6: "auto" }, usual({ flags: MANAGED }));
    link.after(100);
    link.gives(leased());
    assert.deepEqual(link.noted(), [
      "100 bound: fd00:1::1234/64, fd00:1::d/64; ::/0 via fe80::1; DNS fd00::53",
    ]);

    const silent = started({ ipv6: "auto" }, usual({ flags: OTHER }));
    assert.deepEqual(silent.after(10_000).slice(-2), [
      "3051 log: an answer of a DHCPv6 server has not come: going on without",
      `3051 ${BOUND}`,
    ]);
    silent.gives({ dns: { nameservers: ["fd00::53"] } }, Number.POSITIVE_INFINITY);
    assert.deepEqual(silent.noted(), [`10000 ${BOUND}; DNS fd00::53`]);
  });

  it("keeps its own addresses when that of DHCPv6 is lost", () => {
    const link = started({ ipv6: "auto" }, usual({ flags: MANAGED }));
    link.after(100);
    link.gives(leased());
    link.noted();
    link.dhcp!.lost("the server takes it back");
    assert.deepEqual(link.noted(), [`100 ${BOUND}`]);
  });

  it("asks for an address when a router comes to wish it", () => {
    const link = started({ ipv6: "auto" }, usual({ flags: OTHER }), usual({ flags: MANAGED, after: 500 }));
    assert.deepEqual(
      link.after(1000).filter((line) => /DHCPv6|information/.test(line)),
      ["1 information asked for", "500 information stopped", "500 DHCPv6 asked for"],
    );
  });
});

describe("an IPv6 source in another process", () => {
  it("goes on with what it has", () => {
    const link = started(
      { ipv6: "auto" },
      {
        icmp: advertisement(
          { flags: MANAGED },
          prefix("fd00:1::/64", 3600),
          prefix("fd00:2::/64", FOREVER),
          mtu(1400),
        ),
      },
    );
    link.after(100);
    link.gives(leased());
    const before = link.leases.at(-1)!;
    link.after(1000);
    link.restart();
    const settings =
      "fd00:1::1234/64, fd00:2::1234/64, fd00:1::d/64; ::/0 via fe80::1; DNS fd00::53; MTU 1400";
    assert.deepEqual(link.after(10_000), [
      ...[
        "1100 DHCPv6 stopped",
        "1100 DHCPv6 goes on with fd00:1::d/128; DNS fd00::53",
        `1100 bound: ${settings}`,
      ],
    ]);
    assert.equal(link.leases.at(-1)!.expiresAt, before.expiresAt);
    // Nothing was prepared, asked or probed; the routers are asked in time.
    assert.deepEqual(link.after(600_000).slice(0, 2), ["601100 routers?", `601101 bound: ${settings}`]);
  });

  it("asks for DNS when it is time for that", () => {
    const link = started({ ipv6: "auto" }, usual({ flags: OTHER }));
    link.after(100);
    link.gives({ dns: { nameservers: ["fd00::53"] } }, Number.POSITIVE_INFINITY);
    link.noted();
    link.restart();
    assert.deepEqual(link.after(0), [
      ...[
        "100 information stopped",
        "100 information goes on with ; DNS fd00::53",
        `100 ${BOUND}; DNS fd00::53`,
      ],
    ]);
  });

  it("lets go of what has run out meanwhile", () => {
    const link = started({ ipv6: "slaac" }, usual({ valid: 60 }));
    link.after(1000);
    link.call((source) => source.stop());
    link.routers = [];
    link.after(100_000);
    link.restart();
    assert.deepEqual(link.after(0), ["101000 lost: no address is valid any more", "101000 routers?"]);
  });

  it("begins anew with a memory that makes no sense", () => {
    for (const memory of [
      {},
      { facts: 7, linkLocal: "x", leased: [] },
      { facts: [1, { kind: "address" }] },
    ]) {
      const link = new VirtualLink({ ipv6: "slaac" });
      link.routers = [usual()];
      const lease = { settings: {}, renewAt: 0, expiresAt: 0, memory };
      link.call((source) => source.start(lease));
      assert.equal(link.after(60).at(-1), `51 ${BOUND}`);
    }
  });
});

describe("an IPv6 source that is ended", () => {
  for (const end of ["stop", "release"] as const)
    it(`by ${end} leaves nothing open, whenever that is`, () => {
      for (const ms of [0, 1, 25, 100, 2000, 5000]) {
        const link = started({ ipv6: "auto" }, usual({ flags: MANAGED }));
        link.after(ms);
        link.call((source) => source[end]());
        const ended = link.noted();
        assert.deepEqual(ended, ms > 0 ? [`${ms} DHCPv6 ${end === "stop" ? "stopped" : "released"}`] : []);
        // What is on its way is not heard any more.
        assert.deepEqual(link.after(DAY * 1000), []);
        assert.ok(link.scheduler.idle && link.opened === 0, `after ${ms} ms`);
      }
    });

  it("because the interface has gone says so", () => {
    for (const ms of [0, 700_000]) {
      const link = started({ ipv6: "slaac" }, ...(ms > 0 ? [usual()] : []));
      link.after(ms);
      link.problem = () => new InterfaceGone("there is no interface eth0");
      assert.match(link.after(DAY * 1000).at(-1)!, /gone: there is no interface eth0$/);
      assert.ok(link.scheduler.idle && link.opened === 0);
    }
  });

  it("not by a failure that may pass", () => {
    const link = new VirtualLink({ ipv6: "slaac" });
    link.routers = [usual()];
    link.problem = () => new SysError("socket", errno.EMFILE, "packet");
    link.call((source) => source.start());
    assert.deepEqual(link.after(1500), [
      "0 log: cannot prepare the interface for IPv6: socket packet: EMFILE",
    ]);
    link.problem = undefined;
    assert.equal(link.after(1000).at(-1), `2051 ${BOUND}`);
    link.problem = () => new SysError("socket", errno.EMFILE, "packet");
    assert.match(link.after(600_000).at(-1)!, /log: cannot ask for routers: socket packet: EMFILE$/);
    link.problem = undefined;
    assert.match(link.after(1000).at(-1)!, new RegExp(`${BOUND}$`));
  });
});
