import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { test } from "node:test";
import { parseCidr } from "../../src/address/cidr.ts";
import { errno } from "../../src/host/errno.ts";
import { addAddress, listAddresses, removeAddress } from "../../src/netlink/address.ts";
import { isNetlinkErrno } from "../../src/netlink/error.ts";
import { createLink, getLink, listLinks } from "../../src/netlink/link.ts";
import { bridge } from "../../src/netlink/links/bridge.ts";
import { NETLINK_ROUTE } from "../../src/netlink/message.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { TestNamespace } from "./namespaces.ts";

const cidr = (text: string) => parseCidr(text)!;

test("a socket works in another namespace while ours stays", (t) => {
  const ours = readlinkSync("/proc/thread-self/ns/net");
  const space = new TestNamespace(t);
  assert.deepEqual(
    space.socket.dump(listLinks()).map(({ name }) => name),
    space.ip("link", "show").map(({ ifname }) => ifname),
  );
  const name = "plumb-only";
  space.socket.execute([createLink(bridge(), { name })]);
  assert.equal(readlinkSync("/proc/thread-self/ns/net"), ours);
  const own = NetlinkSocket.open(space.host, -1, NETLINK_ROUTE);
  t.after(() => own.close());
  assert.equal(own.query(getLink(name)), undefined);
  assert.equal(own.query(getLink("lo"))?.index, 1);
});

test("the requests around a refused one take place", (t) => {
  const space = new TestNamespace(t);
  const lo = space.link("lo");
  const add = (text: string) => addAddress(lo, { cidr: cidr(text) });
  assert.throws(
    () => space.socket.execute([add("10.1.0.1/32"), add("10.1.0.1/32"), add("10.1.0.2/32")]),
    (error) => isNetlinkErrno(error, errno.EEXIST) && error.index === 1,
  );
  assert.deepEqual(
    space.socket.dump(listAddresses({ link: lo.index })).map((each) => String(each.cidr)),
    ["10.1.0.1/32", "10.1.0.2/32"],
  );
});

test("the kernel's text and the place of the refused attribute reach the error", (t) => {
  const space = new TestNamespace(t);
  assert.throws(
    () => space.socket.execute([createLink({ kind: "no-such-kind" }, { name: "x" })]),
    (error) => {
      assert.ok(isNetlinkErrno(error, errno.EOPNOTSUPP));
      assert.equal(error.kernelText, "Unknown device type");
      assert.match(
        error.message,
        /^cannot create no-such-kind x: Not supported by this kernel \(EOPNOTSUPP\): Unk/,
      );
      return true;
    },
  );
  assert.throws(
    () => space.socket.execute([createLink(bridge(), { name: "x", mtu: 2 ** 31 })]),
    (error) => isNetlinkErrno(error, errno.EINVAL) && error.kernelText !== "",
  );
});

test("hundreds of requests in one send, and dumps of many parts", (t) => {
  const space = new TestNamespace(t);
  const lo = space.link("lo");
  const addresses = Array.from({ length: 1500 }, (_, i) => ({
    cidr: cidr(`10.9.${i >> 8}.${i & 255}/32`),
    label: "lo:many",
  }));
  space.socket.execute(addresses.map((each) => addAddress(lo, each)));
  const listed = space.socket.dump(listAddresses({ link: lo.index }));
  assert.deepEqual(
    listed.map((each) => String(each.cidr)),
    addresses.map((each) => String(each.cidr)),
  );
  space.socket.execute(addresses.map((each) => removeAddress(lo, each)));
  assert.deepEqual(space.socket.dump(listAddresses()), []);
});

test("without the capability the error says so", (t) => {
  const space = new TestNamespace(t);
  const script = `
    import { openHost } from "./src/host/node.node.ts";
    import { createLink } from "./src/netlink/link.ts";
    import { bridge } from "./src/netlink/links/bridge.ts";
    import { NetlinkSocket } from "./src/netlink/socket.ts";
    const socket = NetlinkSocket.open(openHost(), -1, 0);
    try {
      socket.execute([createLink(bridge(), { name: "x" })]);
    } catch (error) {
      process.stdout.write(error.message);
    }`;
  const node = [process.execPath, "--import", "ts-blank-space/register", "--input-type=module", "-e", script];
  const unprivileged = [
    "--bounding-set=-net_admin",
    "--inh-caps=-net_admin",
    "--ambient-caps=-net_admin",
    "--",
  ];
  const message = execFileSync("ip", ["netns", "exec", space.name, "setpriv", ...unprivileged, ...node], {
    cwd: new URL("../..", import.meta.url),
    encoding: "utf8",
  });
  assert.equal(message, "cannot create bridge x: Operation not permitted, needs CAP_NET_ADMIN (EPERM)");
});
