import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSystem } from "../../host/fake.ts";
import { type DeviceRecord, listRecords, readRecord, removeRecord, writeRecord } from "./record.ts";

const record: DeviceRecord = {
  network: "net",
  containerId: "c1",
  ifName: "eth0",
  netns: "/run/netns/c1",
  name: "dev5",
  mac: "02:00:5e:00:53:05",
  mtu: 1500,
  up: true,
  alias: "",
  physical: false,
};

test("a record is kept for a container's interface, and listed with its network", () => {
  const { host } = new FakeSystem();
  assert.deepEqual([readRecord(host, record), listRecords(host, "net")], [undefined, []]);
  const other = { ...record, containerId: "c1_eth0", ifName: "eth1", network: "other" };
  for (const one of [record, other]) writeRecord(host, one);
  assert.deepEqual(readRecord(host, { containerId: "c1", ifName: "eth0" }), record);
  assert.equal(readRecord(host, { containerId: "c1", ifName: "eth1" }), undefined);
  assert.deepEqual([listRecords(host, "net"), listRecords(host, "other")], [[record], [other]]);
  removeRecord(host, record);
  removeRecord(host, record);
  assert.deepEqual([readRecord(host, record), listRecords(host, "other")], [undefined, [other]]);
});

test("a file that is no record counts as none", () => {
  const { host } = new FakeSystem();
  writeRecord(host, record);
  const [file] = host.readDirectory("/run/cni/host-device");
  for (const text of ["", "{", "null", "[]", "{}", '{"name":5}']) {
    host.writeFile(`/run/cni/host-device/${file}`, text);
    assert.deepEqual([readRecord(host, record), listRecords(host, "net")], [undefined, []], text);
  }
});
