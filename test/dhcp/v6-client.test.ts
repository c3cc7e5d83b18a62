import assert from "node:assert/strict";
import { test } from "node:test";
import type { Lease } from "../../src/dhcp/source.ts";
import { Dhcp6Client } from "../../src/dhcp/v6/client.ts";
import { Dhcp6Information } from "../../src/dhcp/v6/information.ts";
import { programs, V6Link } from "./v6-link.ts";

const addressOf = ({ settings }: Lease) => `${settings.ips?.[0]?.address}`;
const DNS = [
  "--dhcp-option=option6:dns-server,[fd00:1::53],[fe80::53]",
  "--dhcp-option=option6:domain-search,office.example,lab.example",
];

test(
  "dnsmasq gives an address and DNS, and is told when it is not used any more",
  programs("dnsmasq"),
  async (t) => {
    const link = new V6Link(t);
    await link.dnsmasq("fd00:1::100,fd00:1::1ff,64,10m", ...DNS);
    const client = new Dhcp6Client(link.context({ probe: 0 }), link.events);
    const before = link.loop.now();
    client.start();
    const lease = link.bound();
    assert.match(addressOf(lease), /^fd00:1::1[0-9a-f]{2}\/128$/);
    assert.deepEqual(lease.settings.dns, {
      nameservers: ["fd00:1::53", "fe80::53%eth0"],
      search: ["office.example", "lab.example"],
    });
    const lasts = lease.expiresAt - before;
    assert.ok(lasts >= 600_000 && lasts < 700_000, `${lasts}`);
    assert.ok(lease.renewAt > before && lease.renewAt < lease.expiresAt);
    // An idle lease holds no socket.
    assert.equal(link.sockets(), "");
    assert.match(link.dnsmasqLeases, /fd00:1::1/);
    client.release();
    link.until("the lease has gone", () => !/fd00:1::1/.test(link.dnsmasqLeases));
    link.idle(50);
    assert.deepEqual(link.logged, []);
  },
);

/** The memory of a lease as it comes back from a file, with other times. */
function remembered({ memory }: Lease, times: object): { memory: Record<string, unknown> } {
  return JSON.parse(JSON.stringify({ memory: { ...memory, ...times } }));
}

/** A client that got an address, and was stopped as when its process ends. */
function stopped(link: V6Link): Lease {
  const client = new Dhcp6Client(link.context(), link.events);
  client.start();
  const lease = link.bound();
  client.stop();
  return lease;
}

test("a lease is gone on with in another process", programs("dnsmasq"), async (t) => {
  const link = new V6Link(t);
  await link.dnsmasq("fd00:1::100,fd00:1::1ff,64,10m");
  const lease = stopped(link);

  await t.test("where T1 has passed, it is renewed", (s) => {
    const client = new Dhcp6Client(link.context(), link.events);
    s.after(() => client.stop());
    client.start(remembered(lease, { renewAt: link.loop.now() - 1 }));
    const renewed = link.bound();
    assert.equal(addressOf(renewed), addressOf(lease));
    assert.ok(renewed.expiresAt > lease.expiresAt);
  });

  await t.test("where T2 has passed, any server is asked", (s) => {
    const client = new Dhcp6Client(link.context(), link.events);
    s.after(() => client.stop());
    const past = link.loop.now() - 1;
    client.start(remembered(lease, { renewAt: past, rebindAt: past, server: "00020000000000" }));
    assert.equal(addressOf(link.bound()), addressOf(lease));
  });

  await t.test("where it has ended, there is a new one", (s) => {
    const client = new Dhcp6Client(link.context(), link.events);
    s.after(() => client.stop());
    const past = link.loop.now() - 1;
    client.start(remembered(lease, { renewAt: past, rebindAt: past, expiresAt: past }));
    assert.match(link.next().reason!, /has ended/);
    assert.equal(addressOf(link.bound()), addressOf(lease));
  });
});

test("a server of another network takes the address back at renewal", programs("dnsmasq"), async (t) => {
  const link = new V6Link(t);
  const before = await link.dnsmasq("fd00:1::100,fd00:1::1ff,64,10m");
  const lease = stopped(link);
  await before.stop();
  link.server.run("ip", "address", "add", "fd00:2::1/64", "dev", "s0", "nodad");
  await link.dnsmasq("fd00:2::100,fd00:2::1ff,64,10m");
  const client = new Dhcp6Client(link.context(), link.events);
  t.after(() => client.stop());
  client.start(remembered(lease, { renewAt: link.loop.now() }));
  assert.match(link.next().reason!, /takes .* back/);
  assert.match(addressOf(link.bound()), /^fd00:2::1/);
});

test("an address that another host has is declined", programs("dnsmasq"), async (t) => {
  const link = new V6Link(t);
  await link.dnsmasq("fd00:1::100,fd00:1::1ff,64,10m");
  const lease = stopped(link);
  link.server.run("ip", "address", "add", addressOf(lease), "dev", "s0", "nodad");
  const client = new Dhcp6Client(link.context(), link.events);
  client.start();
  const other = link.bound();
  assert.notEqual(addressOf(other), addressOf(lease));
  assert.match(link.logged.join(), /in use by another host/);
  client.stop();
});

test("other settings without an address", programs("dnsmasq"), async (t) => {
  const link = new V6Link(t);
  await link.dnsmasq("fd00:1::,ra-stateless", ...DNS, "--dhcp-option=option6:information-refresh-time,1200");
  const client = new Dhcp6Information(link.context(), link.events);
  const before = link.loop.now();
  client.start();
  const { settings, renewAt, expiresAt } = link.bound();
  assert.equal(settings.ips, undefined);
  assert.deepEqual(settings.dns?.nameservers, ["fd00:1::53", "fe80::53%eth0"]);
  assert.deepEqual(settings.dns?.search, ["office.example", "lab.example"]);
  assert.ok(renewAt - before >= 1_200_000 && renewAt - before < 1_300_000);
  assert.equal(expiresAt, Number.POSITIVE_INFINITY);
  assert.equal(link.sockets(), "");
  client.release();
});

test(
  "a link that comes up later is waited for, and one that goes ends the client",
  programs("dnsmasq"),
  async (t) => {
    const link = new V6Link(t);
    await link.dnsmasq("fd00:1::100,fd00:1::1ff,64,10m");
    link.server.run("ip", "link", "set", "s0", "down");
    // The kernel sees it within a second; what comes back before, it takes for nothing.
    const state = () => link.client.ip("link", "show", "dev", "eth0")[0].operstate;
    link.until("the carrier is lost", () => state() !== "UP");
    link.client.run("ip", "-6", "address", "flush", "dev", "eth0");
    const client = new Dhcp6Client(link.context(), link.events);
    client.start();
    link.idle(100);
    link.server.run("ip", "link", "set", "s0", "up");
    link.server.run("ip", "address", "add", "fd00:1::1/64", "dev", "s0", "nodad");
    const lease = link.bound();
    client.stop();
    link.client.run("ip", "link", "delete", "eth0");
    client.start(remembered(lease, { renewAt: link.loop.now() }));
    assert.equal(link.next().what, "gone");
  },
);

test("Kea gives an address in four messages; it is renewed, kept without a server, lost and got again", {
  ...programs("kea-dhcp6"),
}, async (t) => {
  const link = new V6Link(t);
  const pool = "fd00:1::100-fd00:1::1ff";
  const times = { "renew-timer": 1, "rebind-timer": 2, "preferred-lifetime": 3, "valid-lifetime": 4 };
  const dns = [{ name: "dns-servers", data: "fd00:1::53" }];
  const server = await link.kea(pool, { ...times, "option-data": dns });
  const client = new Dhcp6Client(link.context(), link.events);
  t.after(() => client.stop());
  client.start();
  const lease = link.bound();
  assert.deepEqual(lease.settings.dns, { nameservers: ["fd00:1::53"] });
  assert.equal(lease.expiresAt - lease.renewAt, 3000);
  const renewed = link.bound();
  assert.equal(addressOf(renewed), addressOf(lease));
  assert.ok(renewed.expiresAt > lease.expiresAt);
  await server.stop();
  const { what, reason } = link.next();
  assert.equal(what, "lost");
  assert.match(reason!, /has ended/);
  assert.ok(link.loop.now() >= renewed.expiresAt);
  await link.kea(pool, times);
  assert.equal(addressOf(link.bound()), addressOf(lease));
});

test(
  "Kea gives another address at renewal when its pool is another one",
  programs("kea-dhcp6"),
  async (t) => {
    const link = new V6Link(t);
    const before = await link.kea("fd00:1::100-fd00:1::1ff", {
      "preferred-lifetime": 500,
      "valid-lifetime": 600,
    });
    const lease = stopped(link);
    await before.stop();
    await link.kea("fd00:1::500-fd00:1::5ff", { "preferred-lifetime": 500, "valid-lifetime": 600 });
    const client = new Dhcp6Client(link.context(), link.events);
    t.after(() => client.stop());
    client.start(remembered(lease, { renewAt: link.loop.now() }));
    assert.match(addressOf(link.bound()), /^fd00:1::5/);
  },
);

test("Kea that has forgotten the lease gives it again", programs("kea-dhcp6"), async (t) => {
  const link = new V6Link(t);
  const pool = "fd00:1::100-fd00:1::1ff";
  const lifetimes = { "preferred-lifetime": 500, "valid-lifetime": 600 };
  const before = await link.kea(pool, {
    ...lifetimes,
    "lease-database": { type: "memfile", persist: false },
  });
  const lease = stopped(link);
  await before.stop();
  await link.kea(pool, { ...lifetimes, "lease-database": { type: "memfile", persist: false } });
  const client = new Dhcp6Client(link.context(), link.events);
  t.after(() => client.stop());
  client.start(remembered(lease, { renewAt: link.loop.now() }));
  assert.equal(addressOf(link.bound()), addressOf(lease));
});

test("a server without addresses left is asked again and again", programs("kea-dhcp6"), async (t) => {
  const link = new V6Link(t);
  await link.kea("fd00:1::100-fd00:1::100", { "preferred-lifetime": 500, "valid-lifetime": 600 });
  const first = new Dhcp6Client(link.context(), link.events);
  first.start();
  const lease = link.bound();
  const second = new Dhcp6Client({ ...link.context(), id: other(link) }, link.events);
  t.after(() => second.stop());
  second.start();
  link.until("it is told", () => link.logged.some((text) => /NoAddrsAvail/.test(text)));
  // Both have the same port, and the second is still waiting for an answer.
  second.stop();
  first.release();
  second.start();
  assert.equal(addressOf(link.bound()), addressOf(lease));
});

function other(link: V6Link) {
  return { ...link.context().id, network: "lab" };
}
