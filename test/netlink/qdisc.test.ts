import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { errno } from "../../src/host/errno.ts";
import { type RateLimit, tokenBucket } from "../../src/net/rate-limit.ts";
import { isNetlinkErrno } from "../../src/netlink/error.ts";
import { addRedirection, listRedirections } from "../../src/netlink/filter.ts";
import { createLink, deleteLink } from "../../src/netlink/link.ts";
import { ifb } from "../../src/netlink/links/ifb.ts";
import {
  addQdisc,
  getQdisc,
  ingress,
  removeQdisc,
  TC_H_INGRESS,
  TC_H_ROOT,
} from "../../src/netlink/qdisc.ts";
import { readTbf, TBF, TICKS_PER_US, tbf } from "../../src/netlink/tbf.ts";
import { TestNamespace } from "./namespaces.ts";

test("a tick is what /proc/net/psched says", () => {
  const [usToTicks, ticksToUs] = readFileSync("/proc/net/psched", "utf8")
    .split(" ")
    .map((number) => Number.parseInt(number, 16));
  assert.equal(usToTicks! / ticksToUs!, TICKS_PER_US);
});

/** Limits, with the rate and burst in bytes that tc shows. */
const limits: [limit: RateLimit, rate: number, burst: number][] = [
  [{ rate: 8_000, burst: 8e5 }, 1_000, 100_000],
  [{ rate: 1e6, burst: 1e6 }, 125_000, 125_000],
  [{ rate: 1e8, burst: 2 ** 32 - 1 }, 12.5e6, 536_870_911],
  [{ rate: 1e9, burst: 2 ** 31 - 1 }, 125e6, 268_435_455],
  [{ rate: 3e10, burst: 8e9 }, 3.75e9, 1e9],
  [{ rate: 1e11, burst: 8e9 }, 12.5e9, 1e9],
  [{ rate: 4e11, burst: 8e6 }, 5e10, 1e6],
];

for (const [limit, rate, burst] of limits)
  test(`tc shows a limit of ${limit.rate} bit/s and ${limit.burst} bit as it was wished for`, (t) => {
    const namespace = new TestNamespace(t);
    const { socket } = namespace;
    socket.execute([createLink(ifb(), { name: "ifb0" })]);
    const wish = tokenBucket(limit);
    const link = namespace.link("ifb0");
    socket.execute([addQdisc(link, tbf(wish))]);

    const [{ kind, handle, root, options }] = JSON.parse(
      namespace.run("tc", "-j", "qdisc", "show", "dev", "ifb0"),
    );
    assert.deepEqual([kind, handle, root, options.rate], ["tbf", "1:", true, rate]);
    // It reckons with microseconds: two of them may be missing.
    assert.ok(Math.abs(options.burst - burst) <= (2 * rate) / 1e6, `burst ${options.burst}`);
    assert.ok(Math.abs(options.lat - 25_000) <= 2, `latency ${options.lat}`);
    const { burst: _, ...told } = wish;
    assert.deepEqual(readTbf(socket.query(getQdisc(link, TC_H_ROOT))!), told);
  });

test("a burst that ticks cannot tell is in the kernel all the same", (t) => {
  const namespace = new TestNamespace(t);
  const { socket } = namespace;
  socket.execute([createLink(ifb(), { name: "ifb0" })]);
  const link = namespace.link("ifb0");
  for (const limit of [
    { rate: 1e6, burst: 2 ** 32 - 1 },
    { rate: 1e10, burst: 8_000 },
  ]) {
    const wish = tokenBucket(limit);
    socket.execute([addQdisc(link, tbf(wish))]);
    const { buffer } = readTbf(socket.query(getQdisc(link, TC_H_ROOT))!)!;
    const ticks = (wish.burst! / wish.rate) * 1e6 * TICKS_PER_US;
    assert.ok(Math.abs(buffer - (ticks % 2 ** 32)) < 20, `${buffer} of ${ticks}`);
    socket.execute([removeQdisc(link, TBF)]);
  }
});

test("a qdisc is removed if it is this one, and another in its place is not", (t) => {
  const namespace = new TestNamespace(t);
  const { socket } = namespace;
  socket.execute([createLink(ifb(), { name: "ifb0", up: true })]);
  const link = namespace.link("ifb0");
  const shown = () =>
    namespace.run("tc", "qdisc", "show", "dev", "ifb0").replaceAll(/ (rate|refcnt) .*/g, "");
  const refused =
    (...errnos: number[]) =>
    (error: unknown) =>
      isNetlinkErrno(error, ...errnos);
  const limit = tbf(tokenBucket({ rate: 8e6, burst: 8e5 }));

  assert.throws(() => socket.execute([removeQdisc(link, TBF)]), refused(errno.ENOENT, errno.EINVAL));
  assert.throws(() => socket.execute([removeQdisc(link, ingress)]), refused(errno.ENOENT, errno.EINVAL));
  for (const other of ["handle 1: pfifo", "handle 2: tbf rate 8mbit burst 100kb latency 25ms"]) {
    namespace.run("tc", "qdisc", "add", "dev", "ifb0", "root", ...other.split(" "));
    assert.throws(() => socket.execute([removeQdisc(link, TBF)]), refused(errno.EINVAL));
    assert.throws(() => socket.execute([addQdisc(link, limit)]), refused(errno.EEXIST));
    namespace.run("tc", "qdisc", "del", "dev", "ifb0", "root");
  }
  namespace.run("tc", "qdisc", "add", "dev", "ifb0", "clsact");
  assert.throws(() => socket.execute([removeQdisc(link, ingress)]), refused(errno.EINVAL));
  assert.throws(() => socket.execute([addQdisc(link, ingress)]), refused(errno.EEXIST));
  namespace.run("tc", "qdisc", "del", "dev", "ifb0", "clsact");

  const before = shown();
  socket.execute([addQdisc(link, limit), addQdisc(link, ingress)]);
  assert.match(shown(), /^qdisc tbf 1: root\nqdisc ingress ffff: parent ffff:fff1/);
  assert.equal(socket.query(getQdisc(link, TC_H_INGRESS))?.kind, "ingress");
  socket.execute([removeQdisc(link, TBF), removeQdisc(link, ingress)]);
  assert.equal(shown(), before);
  assert.equal(socket.query(getQdisc(link, TC_H_INGRESS)), undefined);
});

test("a redirection takes all packets, and loses its aim when that link goes", (t) => {
  const namespace = new TestNamespace(t);
  const { socket } = namespace;
  for (const name of ["from", "to"]) socket.execute([createLink(ifb(), { name })]);
  const [from, to] = [namespace.link("from"), namespace.link("to")];
  assert.deepEqual(socket.dump(listRedirections(from)), []);
  socket.execute([addQdisc(from, ingress), addRedirection(from, to)]);

  const shown = namespace.run("tc", "filter", "show", "dev", "from", "parent", "ffff:");
  assert.match(shown, /filter protocol all pref 1 u32/);
  assert.match(shown, /match 00000000\/00000000 at 0/);
  assert.match(shown, /mirred \(Egress Redirect to device to\) stolen/);
  assert.deepEqual(socket.dump(listRedirections(from)), [{ to: to.index }]);
  assert.deepEqual(socket.dump(listRedirections(to)), []);
  socket.execute([deleteLink(to)]);
  assert.deepEqual(socket.dump(listRedirections(from)), [{ to: 0 }]);
});
