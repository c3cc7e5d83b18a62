import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../e2e/program.ts";
import { IMAGE } from "./image.ts";
import { beforeEachPlugin, PODMAN_PROGRAMS, Podman, page, serving, shows, stateOf } from "./podman.ts";
import { type RuntimeHost, withPrograms } from "./runtime-host.ts";

// What becomes of a container's networks while it lives, and when it ends, however that is.

test("podman: the life of containers", withPrograms(PODMAN_PROGRAMS), async (t) => {
  const podman = await Podman.start(t);
  const { host, outside } = podman;

  await t.test(
    "podman: network connect and disconnect of a running container",
    podman.case(async () => {
      podman.network("east", "--subnet=10.99.0.0/24");
      podman.network("west", "--subnet=10.99.1.0/24");
      const one = podman.serve("one", "--net=east", "--publish=8080:80");
      const neighbour = podman.serve("two", "--net=west");
      podman.must("network", "connect", "--ip=10.99.1.77", "west", "one");
      assert.deepEqual(one.addresses("eth1"), ["10.99.1.77/24"]);
      await shows(neighbour, "http://10.99.1.77", "one");
      await shows(outside, "http://192.0.2.1:8080", "one");
      podman.must("network", "disconnect", "east", "one");
      assert.equal(one.link("eth0"), undefined);
      // The port leads to the network that is left.
      await shows(outside, "http://192.0.2.1:8080", "one");
      podman.must("network", "connect", "--ip=10.99.0.66", "east", "one");
      assert.deepEqual(one.addresses("eth0"), ["10.99.0.66/24"]);
      await shows(outside, "http://192.0.2.1:8080", "one");
      podman.must("network", "disconnect", "west", "one");
      assert.deepEqual(Object.keys(host.reserved("west")), ["10.99.1.2"]);
      await shows(outside, "http://192.0.2.1:8080", "one");
      podman.remove("one", "two");
      podman.must("network", "rm", "east", "west");
    }),
  );

  await t.test(
    "podman: restart, and stop and start: static address, MAC and ports are as before",
    podman.case(async () => {
      podman.network("office", "--subnet=10.99.2.0/24");
      const mac = "02:00:5e:00:53:04";
      podman.serve("one", "--net=office", "--ip=10.99.2.9", "--mac-address", mac, "--publish=8080:80");
      const same = async () => {
        const one = podman.container("one");
        assert.deepEqual([one.addresses(), one.link().address], [["10.99.2.9/24"], mac]);
        await shows(outside, "http://192.0.2.1:8080", "one");
      };
      await same();
      podman.must("restart", "--time=0", "one");
      await same();
      podman.must("stop", "--time=0", "one");
      assert.deepEqual(host.reserved("office"), {});
      assert.equal(page(host, "http://127.0.0.1:8080", 1), "");
      podman.must("start", "one");
      await same();
      podman.remove("one");
      podman.must("network", "rm", "office");
    }),
  );

  await t.test(
    "podman: a container that ends by itself gives back all it had, and --rm removes it",
    podman.case(async () => {
      const before = stateOf(host);
      podman.must("run", "--detach", "--name=one", "--publish=8080:80", IMAGE, "true");
      podman.must("wait", "one");
      // conmon has podman clean up, after it has told of the end.
      await until("the clean-up", () => JSON.stringify(stateOf(host)) === JSON.stringify(before));
      podman.remove("one");
      podman.must("run", "--detach", "--rm", "--name=two", "--publish=8080:80", IMAGE, "true");
      await until("the removal", () => podman.exec("container", "exists", "two").code === 1);
    }),
  );

  await t.test(
    "podman: rm of a container after kill -9 of it and of its monitor",
    podman.case(async () => {
      podman.serve("one", "--publish=8080:80");
      const pids = podman.inspect("one", ".State.ConmonPid}} {{.State.Pid").split(" ");
      host.must("kill", "-9", ...pids);
      await until("the end", () => pids.every((pid) => host.exec(["kill", "-0", pid]).code !== 0));
      podman.remove("one");
      podman.serve("two", "--publish=8080:80");
      await shows(outside, "http://192.0.2.1:8080", "two");
      podman.remove("two");
    }),
  );

  await t.test(
    "podman: network reload brings back what a flush of the rules took away",
    podman.case(async () => {
      podman.network("office", "--ipv6", "--subnet=10.99.3.0/24", "--subnet=fd99:3::/64");
      const one = podman.serve("one", "--net=office", "--ip=10.99.3.7", "--publish=8080:80");
      const reached = async () => {
        for (const url of ["http://192.0.2.1:8080", "http://[fd99::1]:8080"])
          for (const from of [host, outside]) await shows(from, url, "one");
        assert.deepEqual(one.addresses(), ["10.99.3.7/24", "fd99:3::2/64"]);
        assert.ok(one.pings("192.0.2.2"));
      };
      await reached();
      const own = /10\.99\.3\.7|fd99:3::2/;
      const attached = rulesOf(host, own);
      host.must("nft", "flush", "ruleset");
      assert.equal(one.pings("192.0.2.2", 1), false);
      podman.must("network", "reload", "--all");
      await reached();
      // A second time, with all there still.
      podman.must("network", "reload", "one");
      await reached();
      assert.deepEqual(rulesOf(host, own), attached);
      podman.remove("one");
      podman.must("network", "rm", "office");
      podman.warmUp();
    }),
  );

  await t.test(
    "podman: ten containers at once, each with its address and port",
    podman.case(async () => {
      const names = Array.from({ length: 10 }, (_, index) => `c${index}`);
      const started = await Promise.all(
        names.map((name, index) =>
          podman.run(
            "run",
            "--detach",
            "--name",
            name,
            `--publish=${8000 + index}:80`,
            IMAGE,
            ...serving(name),
          ),
        ),
      );
      for (const { code, stderr } of started) assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      const addresses = names.map((name) => podman.container(name).addresses()[0]);
      assert.equal(new Set(addresses).size, names.length);
      for (const [index, name] of names.entries())
        await shows(outside, `http://192.0.2.1:${8000 + index}`, name);
      const removed = await Promise.all(names.map((name) => podman.run("rm", "--force", "--time=0", name)));
      for (const { code, stderr } of removed) assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    }),
  );

  await t.test(
    "podman: what it calls: VERSION, ADD and DEL, never CHECK",
    podman.case(() => {
      const env = beforeEachPlugin(host, "echo $CNI_COMMAND $name >> /run/calls");
      const command = ["podman", "run", "--rm", "--publish=8080:80", IMAGE, "true"];
      assert.equal(host.exec(command, { env }).code, 0);
      const calls = host.read("/run/calls").trim().split("\n");
      assert.ok(calls.includes("VERSION bridge"));
      assert.deepEqual(
        calls.filter((call) => !call.startsWith("VERSION ")),
        [
          ...["ADD bridge", "ADD host-local", "ADD portmap", "ADD firewall", "ADD tuning"],
          ...["DEL tuning", "DEL firewall", "DEL portmap", "DEL bridge", "DEL host-local"],
        ],
      );
    }),
  );

  await t.test("podman: system reset removes containers and networks", () => {
    const before = stateOf(host);
    podman.network("office", "--subnet=10.99.4.0/24");
    podman.serve("one", "--net=office", "--publish=8080:80", "--stop-timeout=0");
    podman.serve("two");
    podman.must("stop", "--time=0", "two");
    podman.must("system", "prune", "--force");
    assert.equal(podman.must("ps", "--all", "--format={{.Names}}"), "one");
    const { code } = podman.exec("system", "reset", "--force");
    assert.equal(code, 0);
    assert.deepEqual(stateOf(host), before);
  });
});

/** Rules and elements that say one of these. */
const rulesOf = (host: RuntimeHost, words: RegExp) =>
  [...host.rules(), ...host.elements()].filter((line) => words.test(line)).sort();
