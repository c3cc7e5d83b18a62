import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "./world.ts";

// The example that many a text about CNI begins with: a container of Docker's, without network of its own, gets one.

const mybridge = {
  cniVersion: "0.2.0",
  name: "mybridge",
  type: "bridge",
  bridge: "cni_bridge1",
  isGateway: true,
  ipMasq: true,
  ipam: {
    type: "host-local",
    subnet: "10.15.30.0/24",
    routes: [{ dst: "0.0.0.0/0" }, { dst: "1.1.1.1/32", gw: "10.15.30.1" }],
    rangeStart: "10.15.30.100",
    rangeEnd: "10.15.30.200",
    gateway: "10.15.30.99",
  },
};
const id = "c2a5e1d3b8f7460912ab34cd56ef7890c2a5e1d3b8f7460912ab34cd56ef7890";

test("mybridge: the result, the container, the host, the files, and a web server", async (t) => {
  const w = await World.start(t);
  const container = w.container(id);
  const result = w.add(mybridge, container, { netns: `/var/run/netns/${id}` });
  assert.deepEqual(result, {
    cniVersion: "0.2.0",
    ip4: {
      ip: "10.15.30.100/24",
      gateway: "10.15.30.99",
      routes: [{ dst: "0.0.0.0/0" }, { dst: "1.1.1.1/32", gw: "10.15.30.1" }],
    },
    dns: {},
  });

  assert.deepEqual(container.addresses(), ["10.15.30.100/24"]);
  assert.ok(container.link().flags.includes("UP"));
  assert.deepEqual(container.routes().sort(), [
    "1.1.1.1 via 10.15.30.1 dev eth0",
    "10.15.30.0/24 dev eth0",
    "default via 10.15.30.99 dev eth0",
  ]);

  assert.deepEqual(w.addresses("cni_bridge1"), ["10.15.30.99/24"]);
  const [outside] = w.veths();
  assert.equal(w.link(outside!).master, "cni_bridge1");
  assert.equal(w.read("/proc/sys/net/ipv4/ip_forward"), "1\n");
  assert.equal(w.masqueraded().length, 1);

  const folder = "/var/lib/cni/networks/mybridge";
  assert.equal(w.read(`${folder}/10.15.30.100`), `${id}\r\neth0`);
  assert.equal(w.read(`${folder}/last_reserved_ip.0`), "10.15.30.100");
  assert.equal(w.must("stat", "-c", "%a", `${folder}/10.15.30.100`), "600\n");

  const page =
    "require('http').createServer((_, answer) => answer.end('hello')).listen(80, () => console.log('ready'))";
  const server = w.spawn(t, "ip", "netns", "exec", id, process.execPath, "-e", page);
  await new Promise((resolve) => server.stdout.once("data", resolve));
  assert.equal(w.must("curl", "--silent", "--max-time", "10", "http://10.15.30.100/"), "hello");
  assert.equal(container.pings("10.15.30.99"), true);

  w.del(mybridge, container);
  assert.deepEqual(
    [container.link(), w.veths(), w.masqueraded(), w.reserved("mybridge")],
    [undefined, [], [], {}],
  );
  const next = w.add(mybridge, container);
  assert.equal(next.ip4.ip, "10.15.30.101/24");
});
