import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, ask } from "../e2e/answering.ts";
import { until } from "../e2e/program.ts";
import { IMAGE } from "./image.ts";
import { PODMAN_PROGRAMS, Podman, page, serving, shows } from "./podman.ts";
import { side, withPrograms } from "./runtime-host.ts";

// Ports that podman publishes: plugins lead them to containers, and podman holds them on the host meanwhile.

test("podman: published ports", withPrograms(PODMAN_PROGRAMS), async (t) => {
  const podman = await Podman.start(t);
  const { host, outside } = podman;

  await t.test(
    "podman: a published port: from the host, another machine, another container and itself",
    podman.case(async () => {
      podman.network("office", "--subnet=10.98.0.0/24");
      const one = podman.serve("one", "--net=office", "--publish=8080:80");
      const neighbours = [podman.serve("two", "--net=office"), podman.serve("three")];
      for (const address of ["127.0.0.1", "192.0.2.1", "10.98.0.1"])
        await shows(host, `http://${address}:8080`, "one");
      for (const from of [outside, one, ...neighbours]) await shows(from, "http://192.0.2.1:8080", "one");
      assert.equal(podman.must("port", "one"), "80/tcp -> 0.0.0.0:8080");
      podman.remove("one", "two", "three");
      assert.equal(page(host, "http://127.0.0.1:8080", 1), "");
      podman.must("network", "rm", "office");
    }),
  );

  await t.test(
    "podman: a published UDP port, and the same port by TCP",
    podman.case(async (t) => {
      const one = podman.serve("one", "--publish=5353:80", "--publish=5353:53/udp");
      await answer(t, one, 53);
      for (const [from, address] of [
        [host, "127.0.0.1"],
        [outside, "192.0.2.1"],
      ] as const) {
        assert.ok(ask(from, address, 5353, "udp").startsWith(one.id));
        await shows(from, `http://${address}:5353`, "one");
      }
      podman.remove("one");
    }),
  );

  await t.test(
    "podman: a port published at one address of the host",
    podman.case(async () => {
      podman.serve("one", "--publish=127.0.0.1:8081:80");
      podman.serve("two", "--publish=192.0.2.1:8081:80");
      await shows(host, "http://127.0.0.1:8081", "one");
      for (const from of [host, outside]) await shows(from, "http://192.0.2.1:8081", "two");
      assert.equal(page(host, "http://10.88.0.1:8081", 1), "");
      podman.remove("one", "two");
    }),
  );

  await t.test(
    "podman: a range of ports",
    podman.case(async (t) => {
      const publish = ["--publish=9000-9002:80-82", "--publish=9000-9002:80-82/udp"];
      const one = podman.serve("one", ...publish);
      podman.must("exec", "--detach", "one", ...serving("other", 82));
      await answer(t, one, 81);
      await shows(outside, "http://192.0.2.1:9000", "one");
      await shows(outside, "http://192.0.2.1:9002", "other");
      for (const transport of ["tcp", "udp"] as const)
        assert.equal(ask(outside, "192.0.2.1", 9001, transport), `${one.id} 192.0.2.2`);
      podman.remove("one");
    }),
  );

  await t.test(
    "podman: a published port of a network with IPv6",
    podman.case(async () => {
      podman.network("both", "--ipv6", "--subnet=10.98.1.0/24", "--subnet=fd98:1::/64");
      podman.serve("one", "--net=both", "--publish=8080:80", "--publish=[::1]:8081:80");
      for (const url of ["http://192.0.2.1:8080", "http://[fd99::1]:8080"])
        for (const from of [host, outside]) await shows(from, url, "one");
      podman.remove("one");
      podman.must("network", "rm", "both");
    }),
  );

  await t.test(
    "podman: a port that podman chooses",
    podman.case(async () => {
      podman.serve("one", "--publish=80");
      const [, port] = /^80\/tcp -> 0\.0\.0\.0:(\d+)$/.exec(podman.must("port", "one"))!;
      await shows(outside, `http://192.0.2.1:${port}`, "one");
      podman.remove("one");
    }),
  );

  await t.test(
    "podman: a port taken twice is refused, its holder keeps it, and the next one gets it",
    podman.case(async () => {
      podman.serve("one", "--publish=8082:80");
      const { code, stderr } = podman.exec(
        ...["run", "--detach", "--name=two", "--publish=8082:80", IMAGE, ...serving("two")],
      );
      assert.equal(code, 126);
      // The reference leads the port to the later one; podman, which holds it, notices, and detaches that again.
      const message =
        side === "ours"
          ? `cni plugin portmap failed: host port 8082/tcp is already in use by container ${podman.inspect("one", ".Id")} (network podman, interface eth0)`
          : "cannot listen on the TCP port: listen tcp4 :8082: bind: address already in use";
      assert.ok(stderr.includes(message), stderr);
      await shows(outside, "http://192.0.2.1:8082", "one");
      podman.remove("one");
      podman.must("start", "two");
      await shows(outside, "http://192.0.2.1:8082", "two");
      podman.remove("two");
    }),
  );

  await t.test(
    "podman: a port that a program of the host has is refused, and nothing is left",
    podman.case(async (t) => {
      const program = ["setpriv", "--pdeathsig", "KILL", "busybox", "httpd", "-f", "-p", "8083"];
      const server = host.spawn(t, ...program);
      await until("the program", () => host.must("ss", "-ltn").includes(":8083 "));
      const { code, stderr } = podman.exec("run", "--rm", "--publish=8083:80", IMAGE, "true");
      server.kill();
      assert.equal(code, 126);
      assert.match(stderr, /cannot listen on the TCP port: .*address already in use/);
    }),
  );

  await t.test(
    "podman: a pod: two containers in one namespace, with its ports and address",
    podman.case(async () => {
      podman.network("office", "--subnet=10.98.2.0/24");
      const infra = ["--infra-image", IMAGE, "--infra-command", "/bin/sleep inf"];
      const publish = ["--publish=8080:80", "--publish=127.0.0.1:8081:81"];
      podman.must("pod", "create", "--name=pod", "--net=office", "--ip=10.98.2.44", ...publish, ...infra);
      podman.must("run", "--detach", "--pod=pod", "--name=one", IMAGE, ...serving("one"));
      podman.must("run", "--detach", "--pod=pod", "--name=two", IMAGE, ...serving("two", 81));
      const reached = async () => {
        await shows(outside, "http://192.0.2.1:8080", "one");
        await shows(host, "http://127.0.0.1:8081", "two");
        assert.equal(page(outside, "http://192.0.2.1:8081", 1), "");
        assert.equal(podman.must("exec", "one", "wget", "-q", "-O", "-", "http://127.0.0.1:81"), "two");
        assert.match(podman.must("exec", "two", "ip", "-4", "address"), /inet 10\.98\.2\.44\/24/);
      };
      await reached();
      podman.must("pod", "stop", "--time=0", "pod");
      assert.deepEqual(host.reserved("office"), {});
      assert.equal(page(host, "http://127.0.0.1:8080", 1), "");
      podman.must("pod", "start", "pod");
      await reached();
      podman.must("pod", "rm", "--force", "--time=0", "pod");
      podman.must("network", "rm", "office");
    }),
  );
});
