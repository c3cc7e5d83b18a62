import assert from "node:assert/strict";
import { test } from "node:test";
import { readLog } from "../e2e/log-lines.ts";
import { until } from "../e2e/program.ts";
import { plumb } from "../programs.ts";
import { IMAGE } from "./image.ts";
import { beforeEachPlugin, PODMAN_PROGRAMS, Podman } from "./podman.ts";
import { side, withPrograms } from "./runtime-host.ts";

// What a user of podman sees when a plugin fails: its error object's msg and details, once.

/** podman tries DEL after an ADD that failed, finds no result of it, and says so, whoever failed. */
const CACHE_WARNING =
  /^time=\S+ level=warning msg="Failed to load cached network config: network \w+ not found in CNI cache, falling back to loading network \w+ from disk"$/;

test("podman: errors", withPrograms(PODMAN_PROGRAMS), async (t) => {
  const podman = await Podman.start(t);
  const { host } = podman;

  /** Runs a container that cannot be attached; gives what is said of it: warnings of a DEL that fails, then the error. */
  function refused(...options: string[]): string[] {
    const { code, stdout, stderr } = podman.exec("run", "--rm", ...options, IMAGE, "true");
    // 127 is podman's code where the text has "not found", whatever that is.
    assert.ok(code === 126 || code === 127, `${code}: ${stderr}`);
    assert.equal(stdout, "");
    return stderr
      .trim()
      .split("\n")
      .filter((line) => !CACHE_WARNING.test(line));
  }

  /** podman's words around a plugin's msg, and ours behind it: what to do. */
  const failed = (plugin: string, message: string, details: string) =>
    `Error: plugin type="${plugin}" failed (add): cni plugin ${plugin} failed: ${message}${side === "ours" ? `: ${details}` : ""}`;

  /** Changes a network's configuration as an operator's editor would. */
  const edit = (name: string, from: string, to: string) => {
    const file = `/etc/cni/net.d/${name}.conflist`;
    const text = host.read(file);
    assert.ok(text.includes(from), text);
    host.write(file, text.replace(from, to));
  };

  await t.test(
    "no address is left: the error names the range, and what to do",
    podman.case(() => {
      podman.network("tiny", "--subnet=10.100.0.0/30");
      podman.serve("one", "--net=tiny");
      assert.deepEqual(refused("--net=tiny"), [
        failed(
          "bridge",
          "failed to allocate for range 0: no IP addresses available in range set: 10.100.0.1-10.100.0.2",
          "All are reserved by the files in /var/lib/cni/networks/tiny. Remove containers, widen the range, or run GC for the network, which frees what belongs to no container.",
        ),
      ]);
      podman.remove("one");
      podman.must("network", "rm", "tiny");
    }),
  );

  await t.test(
    "a static address taken twice",
    podman.case(() => {
      podman.network("office", "--subnet=10.100.1.0/24");
      podman.serve("one", "--net=office", "--ip=10.100.1.9");
      assert.deepEqual(refused("--net=office", "--ip=10.100.1.9"), [
        failed(
          "bridge",
          "failed to allocate for range 0: requested IP address 10.100.1.9 is not available in range set 10.100.1.1-10.100.1.254",
          "/var/lib/cni/networks/office/10.100.1.9 says who holds it.",
        ),
      ]);
      podman.remove("one");
      podman.must("network", "rm", "office");
    }),
  );

  await t.test(
    "a wrong value in a configuration",
    podman.case(() => {
      podman.network("office", "--subnet=10.100.2.0/24");
      edit("office", '"hairpinMode": true', '"hairpinMode": true, "vlan": 5000');
      const message = "cni plugin bridge failed: invalid VLAN ID 5000 (must be between 0 and 4094)";
      // The reference's DEL fails too, and podman warns of that.
      const warnings = side === "ours" ? 0 : 1;
      assert.deepEqual(refused("--net=office").slice(warnings), [
        `Error: plugin type="bridge" failed (add): ${message}`,
      ]);
      podman.must("network", "rm", "office");
    }),
  );

  await t.test(
    "a configuration that is no JSON: podman names the file, and goes on with the others",
    podman.case(() => {
      host.write("/etc/cni/net.d/broken.conflist", "{");
      const { code, stderr } = podman.exec("run", "--rm", IMAGE, "true");
      host.must("rm", "/etc/cni/net.d/broken.conflist");
      assert.equal(code, 0);
      assert.match(
        stderr,
        /^time=\S+ level=warning msg="Error loading CNI config file \/etc\/cni\/net\.d\/broken\.conflist: .*"$/m,
      );
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
    }),
  );

  await t.test(
    "a plugin that is missing: podman names it, and knows no such network",
    podman.case(() => {
      podman.network("office", "--subnet=10.100.3.0/24");
      edit("office", '"portmap"', '"nosuch"');
      const { code, stderr } = podman.exec("run", "--rm", "--net=office", IMAGE, "true");
      edit("office", '"nosuch"', '"portmap"');
      podman.must("network", "rm", "office");
      assert.equal(code, 125);
      assert.match(stderr, /failed to find plugin \\"nosuch\\" in path \[\/opt\/cni\/bin\]/);
      assert.match(stderr, /^Error: unable to find network with name or ID office: network not found$/m);
    }),
  );

  await t.test(
    "an IPAM plugin that is missing",
    podman.case(() => {
      podman.network("office", "--subnet=10.100.4.0/24");
      edit("office", '"host-local"', '"nosuch"');
      const [warning, error, ...others] = refused("--net=office");
      edit("office", '"nosuch"', '"host-local"');
      podman.must("network", "rm", "office");
      const words =
        side === "ours" ? /plugin nosuch not found/ : /failed to find plugin \\?"nosuch\\?" in path/;
      assert.match(warning!, words);
      assert.match(
        warning!,
        / level=warning msg="1 error occurred:\\n\\t\* plugin type=\\"bridge\\" failed \(delete\): /,
      );
      assert.match(error!, words);
      assert.match(error!, /^Error: plugin type="bridge" failed \(add\): /);
      assert.deepEqual(others, []);
    }),
  );

  await t.test(
    "a bridge that may not be configured, for /proc/sys is read-only",
    podman.case(() => {
      podman.network("office", "--subnet=10.100.5.0/24");
      host.must("sysctl", "-q", "-w", "net.ipv4.conf.all.forwarding=0");
      host.must("mount", "--bind", "/proc/sys", "/proc/sys");
      host.must("mount", "-o", "remount,ro,bind", "/proc/sys");
      const said = refused("--net=office");
      host.must("umount", "/proc/sys");
      podman.must("network", "rm", "office");
      assert.match(
        said.at(-1)!,
        /^Error: plugin type="bridge" failed \(add\): cni plugin bridge failed: .*\/proc\/sys\/net\/.*read-only/,
      );
    }),
  );

  await t.test(
    "a DEL that fails is told, and plumb gc removes what it left",
    podman.case(() => {
      podman.network("office", "--subnet=10.100.6.0/24");
      podman.serve("one", "--net=office");
      const folder = "/var/lib/cni/networks";
      host.must("mount", "--bind", folder, folder);
      host.must("mount", "-o", "remount,ro,bind", folder);
      const { code, stderr } = podman.exec("network", "disconnect", "office", "one");
      podman.exec("rm", "--force", "--time=0", "one");
      host.must("umount", folder);
      assert.equal(podman.must("ps", "--all", "--quiet"), "");
      const collected = host.exec([plumb, "gc", "office"]);
      podman.must("network", "rm", "office");
      assert.notEqual(code, 0, "the DEL succeeded, and yet the address stays reserved");
      assert.match(
        stderr,
        /plugin type=\\?"bridge\\?" failed \(delete\): cni plugin bridge failed: cannot release the addresses: /,
      );
      assert.match(stderr, /networks\/office\/lock: EROFS: The file system is read-only/);
      assert.deepEqual([collected.code, collected.stderr], [0, ""]);
    }),
  );

  await t.test(
    "a log file named in containers.conf has every call, that of the monitor too",
    { skip: side !== "ours" && "the log is plumb's" },
    podman.case(async () => {
      const settings = host.read("/etc/containers/containers.conf");
      host.write(
        "/etc/containers/containers.conf",
        `${settings}[engine]\nenv = ["PLUMB_LOG_FILE=/var/log/plumb.log"]\n`,
      );
      const id = podman.must("run", "--detach", IMAGE, "true");
      const log = () => readLog(host.path("/var/log/plumb.log"));
      const chain = ["bridge", "portmap", "firewall", "tuning"];
      await until(
        "the monitor's DEL",
        () => log().filter(({ command }) => command === "DEL").length === chain.length,
      );
      host.write("/etc/containers/containers.conf", settings);
      podman.must("rm", id);
      assert.deepEqual(
        log().map(({ level, command, plugin, container }) => [level, command, plugin, container]),
        [
          ...chain.map((plugin) => ["info", "ADD", plugin, id]),
          ...chain.toReversed().map((plugin) => ["info", "DEL", plugin, id]),
        ],
      );
    }),
  );

  await t.test(
    "what plugins write on stderr is shown nowhere, whether they succeed or fail",
    podman.case(() => {
      const env = beforeEachPlugin(host, "echo a word from $name >&2");
      const attached = host.exec(["podman", "run", "--rm", IMAGE, "true"], { env });
      assert.deepEqual(attached, { code: 0, stdout: "", stderr: "" });
      podman.network("office", "--subnet=10.100.7.0/24");
      edit("office", '"hairpinMode": true', '"hairpinMode": true, "vlan": 5000');
      const { stderr } = host.exec(["podman", "run", "--rm", "--net=office", IMAGE, "true"], { env });
      podman.must("network", "rm", "office");
      assert.match(stderr, /invalid VLAN ID 5000/);
      assert.doesNotMatch(stderr, /a word from/);
    }),
  );
});
