import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../address/cidr.ts";
import { parseIp } from "../address/ip.ts";
import { FakeSystem } from "../host/fake.ts";
import type { Record } from "./record.ts";
import { Store } from "./store.ts";

const DIRECTORY = "/run/cni/dhcp.leases";
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

function newSystem(): FakeSystem {
  const system = new FakeSystem();
  system.host.makeDirectories("/proc/sys/kernel/random");
  system.host.writeFile(BOOT_ID, "first\n");
  return system;
}

function record(containerId: string): Record {
  return {
    id: { containerId, network: "lan", ifName: "eth0" },
    netns: `/run/netns/${containerId}`,
    identity: { netns: 4026532667, link: 2 },
    wish: { ipv4: "dhcp", ipv6: "auto", request: [1, 3], provide: [[12, "h"]], broadcast: true, mtu: false },
    leases: {
      4: {
        settings: {
          ips: [{ address: parseCidr("10.1.0.5/24")!, gateway: parseIp("10.1.0.1")! }],
          routes: [{ dst: parseCidr("0.0.0.0/0")!, gw: parseIp("10.1.0.1")!, priority: 7 }],
          dns: { nameservers: ["10.1.0.1"], domain: "example.net", search: ["a.example"] },
          mtu: 1400,
        },
        renewAt: 1_000,
        expiresAt: Number.POSITIVE_INFINITY,
        memory: { server: "10.1.0.1", xid: 5 },
      },
      6: undefined,
    },
  };
}

const readAll = (store: Store) => {
  const lines: string[] = [];
  return { records: store.readAll((line) => lines.push(line)), lines };
};
/** The file of c1/lan/eth0. */
const PATH = `${DIRECTORY}/33986bda80ac1832b5a95bba267688fd`;

test("records are read as they were written, until they are removed", () => {
  const store = Store.open(newSystem().host, DIRECTORY);
  const [first, second] = [record("c1"), record("c2")];
  store.write(second);
  store.write(first);
  store.write(first);
  const { records, lines } = readAll(store);
  const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
  assert.deepEqual(
    plain(records.sort((a, b) => a.id.containerId.localeCompare(b.id.containerId))),
    plain([first, second]),
  );
  assert.equal(records[0]!.leases[4]!.expiresAt, Number.POSITIVE_INFINITY);
  assert.deepEqual(lines, []);
  store.remove(first.id);
  store.remove(first.id);
  assert.deepEqual(
    readAll(store).records.map(({ id }) => id.containerId),
    ["c2"],
  );
});

test("the directory belongs to one", () => {
  const { host } = newSystem();
  Store.open(host, DIRECTORY);
  assert.throws(() => Store.open(host, DIRECTORY), {
    code: 11,
    message: `another daemon is running: it holds ${DIRECTORY}/lock`,
  });
  assert.equal(host.stat(DIRECTORY).mode & 0o777, 0o700);
  Store.open(host, `${DIRECTORY}2`);
});

test("times of another run of the machine mean nothing: its records go", () => {
  const system = newSystem();
  Store.open(system.host, DIRECTORY).write(record("c1"));
  system.host.writeFile(BOOT_ID, "second\n");
  system.host.removeFile(`${DIRECTORY}/lock`);
  assert.deepEqual(readAll(Store.open(system.host, DIRECTORY)), { records: [], lines: [] });
  assert.deepEqual(system.host.readDirectory(DIRECTORY), ["lock"]);
});

test("what is no record is set aside, and the others are read", () => {
  const { host } = newSystem();
  const store = Store.open(host, DIRECTORY);
  store.write(record("c1"));
  const good = host.readFile(PATH);
  const damaged: [text: string, problem: RegExp][] = [
    ["", /unexpected end|JSON/i],
    [good.slice(0, 200), /JSON|end of/i],
    ["[]", /expected an object, got \[\]/],
    [good.replace('"format":1', '"format":2'), /format: expected a whole number .*, got 2/],
    [good.replace("10.1.0.5/24", "10.1.0.5"), /ips\[0\].address: expected a network/],
    [good.replace('"dhcp"', '"maybe"'), /wish.ipv4: expected one of/],
    [good.replace('"link":2', '"link":-2'), /identity.link: expected a whole number/],
    [good.replace(/"settings":{.*"memory"/, '"settings":5,"memory"'), /expected an object, got 5/],
  ];
  store.write(record("c2"));
  for (const [text, problem] of damaged) {
    host.writeFile(PATH, text);
    const { records, lines } = readAll(store);
    assert.deepEqual(
      records.map(({ id }) => id.containerId),
      ["c2"],
    );
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, problem);
    assert.equal(host.readFile(`${PATH}.bad`), text);
  }
});

test("what a daemon that was killed has left of a record is removed", () => {
  const { host } = newSystem();
  const store = Store.open(host, DIRECTORY);
  host.writeFile(`${PATH}.77.tmp`, "{");
  assert.deepEqual(readAll(store), { records: [], lines: [] });
  assert.deepEqual(host.readDirectory(DIRECTORY), ["lock"]);
});
