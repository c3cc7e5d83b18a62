// A kubelet's way of networking pods: containerd's CRI, driven over gRPC.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../e2e/program.ts";
import { plumb } from "../programs.ts";
import { Containerd, type ContainerdSettings, RELEASES, withContainerd } from "./containerd.ts";
import { Cri } from "./cri.ts";
import { PAGE } from "./image.ts";
import { bandwidth, bridged, failing, firewall, portmap, tuning } from "./networks.ts";
import { RuntimeHost, side } from "./runtime-host.ts";

const FILE = "10-office";
/** As a cluster's nodes have it. */
const office = bridged("office", { subnets: ["10.88.0.0/24"] }, portmap, bandwidth, firewall, tuning);
const [first, ...others] = office.plugins;
const backend = bridged("backend", { subnets: ["10.89.0.0/24"] }, portmap);
const web = { portMappings: [{ containerPort: 80, hostPort: 8080 }] };

for (const [release, layers] of Object.entries(RELEASES))
  test(`CRI of ${release}`, withContainerd(layers), async (t) => {
    const host = await RuntimeHost.boot(t, layers);
    const beyond = host.beyond();
    const uplink = "http://203.0.113.1:8080";
    let containerd = await Containerd.start(t, host);
    let cri = new Cri(t, containerd.socket);

    async function restart(settings: ContainerdSettings = {}): Promise<void> {
      await containerd.kill();
      containerd = await Containerd.start(t, host, settings);
      cri = new Cri(t, containerd.socket);
    }

    async function use(network: object): Promise<void> {
      host.network(FILE, network);
      await cri.hasRead(network);
    }

    async function end(...pods: string[]): Promise<void> {
      for (const pod of pods) {
        await cri.stop(pod);
        await cri.remove(pod);
      }
    }

    /** A case on a network, after which no pod is there, and nothing of any. */
    async function scene(name: string, play: () => Promise<void>, network: object = office): Promise<void> {
      await use(network);
      // What the first container of a network makes for all of them stays.
      await end(await cri.run("first", web));
      const before = host.remains();
      await t.test(name, async () => {
        try {
          await play();
        } finally {
          await use(network);
          await end(...(await cri.pods()));
        }
        assert.deepEqual(host.remains(), before);
      });
    }

    await t.test("a network is missed until its file is there", async () => {
      assert.match(await cri.networkProblem(), /cni plugin not initialized/);
      await assert.rejects(cri.run("early"), /cni plugin not initialized/);
      await use(office);
      assert.equal(await cri.networkProblem(), "");
      // Release 1.6 keeps it, for it could not ask the plugins to clean up.
      await end(...(await cri.pods()));
      assert.deepEqual(await cri.pods(), []);
    });

    await scene(
      "a pod has an address and a loopback interface, and reaches the world, masqueraded",
      async () => {
        const { ready, ips, netns } = await cri.pod(await cri.run("plain"));
        assert.ok(ready);
        assert.match(ips.join(" "), /^10\.88\.0\.\d+$/);
        assert.equal(host.curl(`http://${ips[0]}`).stdout, PAGE);
        for (const address of [beyond.address, "127.0.0.1"])
          host.must("nsenter", `--net=${netns}`, "ping", "-c1", "-W5", address);
      },
    );

    await scene(
      "a pod has addresses of both families",
      async () => {
        const { ips } = await cri.pod(await cri.run("dual"));
        assert.match(ips.join(" "), /^10\.90\.0\.\d+ fd00:90::[\da-f]+$/);
        assert.equal(host.curl(`http://${ips[0]}`).stdout, PAGE);
        assert.equal(host.curl(`http://[${ips[1]}]`).stdout, PAGE);
      },
      bridged("both", { subnets: ["10.90.0.0/24", "fd00:90::/64"] }, ...others),
    );

    await scene(
      "a published port is reached from the host, from beyond, from another pod, from its own",
      async () => {
        const [ours, theirs] = [await cri.run("web", web), await cri.run("other")];
        assert.equal(host.curl(uplink).stdout, PAGE, "from the host");
        assert.equal(host.curl("http://127.0.0.1:8080").stdout, PAGE, "from the host's loopback");
        assert.equal(beyond.curl(uplink).stdout, PAGE, "from beyond");
        assert.equal(host.curl(uplink, (await cri.pod(theirs)).netns).stdout, PAGE, "from another pod");
        assert.equal(host.curl(uplink, (await cri.pod(ours)).netns).stdout, PAGE, "from its own pod");
        await end(ours);
        assert.ok(!host.answers(uplink));
      },
    );

    await scene("a published port with a host address is bound to that alone", async () => {
      await cri.run("bound", {
        portMappings: [{ containerPort: 80, hostPort: 8080, hostIp: "203.0.113.1" }],
      });
      assert.equal(beyond.curl(uplink).stdout, PAGE);
      assert.ok(!host.answers("http://10.88.0.1:8080"));
    });

    await scene("a host port that another pod has is refused, and that one keeps it", async () => {
      await cri.run("holder", web);
      await assert.rejects(cri.run("second", web), /8080/);
      assert.equal(host.curl(uplink).stdout, PAGE);
    });

    await scene("annotations limit the bandwidth, each way", async () => {
      const annotations = {
        "kubernetes.io/ingress-bandwidth": "8M",
        "kubernetes.io/egress-bandwidth": "16M",
      };
      const { ips } = await cri.pod(await cri.run("limited", { annotations }));
      const rates = JSON.parse(host.must("tc", "-j", "qdisc", "show")).flatMap(
        ({ kind, dev, options }: Queue) =>
          kind === "tbf" ? [`${dev.replace(/[\da-f]+$/, "")} ${options.rate * 8}`] : [],
      );
      assert.deepEqual(rates.sort(), ["bwp 16000000", "veth 8000000"]);
      assert.equal(host.curl(`http://${ips[0]}`).stdout, PAGE);
    });

    await scene("a pod's name servers are in its resolv.conf, and no plugin minds being told", async () => {
      await use({ ...office, plugins: [{ ...first, capabilities: { dns: true } }, ...others] });
      const dns = { servers: ["10.96.0.10"], searches: ["default.svc.cluster.local"], options: ["ndots:5"] };
      const pod = await cri.run("named", { dns });
      const file = host.must("sh", "-c", `cat $(find /var/lib/containerd -path '*/${pod}/resolv.conf')`);
      assert.match(file, /nameserver 10\.96\.0\.10/);
      assert.match(file, /search default\.svc\.cluster\.local/);
    });

    await scene("stop and remove may be repeated", async () => {
      const pod = await cri.run("repeated", web);
      for (let i = 0; i < 3; i++) await cri.stop(pod);
      for (let i = 0; i < 3; i++) await cri.remove(pod);
    });

    await scene("stop finds a pod whose namespace has gone", async () => {
      const { netns } = await cri.pod(await cri.run("bereft", web));
      host.must("umount", netns);
      host.must("rm", netns);
    });

    await scene("stop finds a pod whose processes were killed", async () => {
      const pod = await cri.run("killed", web);
      host.must("ctr", "--namespace", "k8s.io", "task", "kill", "--signal", "SIGKILL", pod);
      await until("its end", async () => !(await cri.pod(pod)).ready);
    });

    await scene("when the second plugin fails, what the first has made is removed", async () => {
      await use({ ...office, plugins: [first, failing, ...others] });
      await assert.rejects(
        cri.run("doomed"),
        /failed to setup network for sandbox .*type="tuning".*no_such_setting/s,
      );
      await use(office);
    });

    await scene("when the second plugin is missing, what the first has made is removed", async () => {
      await use({ ...office, plugins: [first, { type: "no-such-plugin" }, ...others] });
      await assert.rejects(cri.run("doomed"), /failed to find plugin "no-such-plugin"/);
      // containerd's DEL ends at the missing plugin, too, and release 2 asks for no other.
      host.write("/run/repaired/office.conflist", JSON.stringify({ ...office, cniVersion: "1.1.0" }));
      host.must("env", "NETCONFPATH=/run/repaired", plumb, "gc", "office");
    });

    await scene("ten pods at once", async () => {
      const ports = Array.from({ length: 10 }, (_, i) => 9000 + i);
      const pods = await Promise.all(
        ports.map((hostPort) =>
          cri.run(`many-${hostPort}`, { portMappings: [{ containerPort: 80, hostPort }] }),
        ),
      );
      const ips = await Promise.all(pods.map(async (pod) => (await cri.pod(pod)).ips[0]));
      assert.equal(new Set(ips).size, 10);
      for (const port of ports) assert.equal(host.curl(`http://203.0.113.1:${port}`).stdout, PAGE);
      await Promise.all(pods.map((pod) => end(pod)));
    });

    await scene("a containerd that was killed and started again stops what it had started", async () => {
      await cri.run("survivor", web);
      await containerd.kill();
      assert.equal(host.curl(uplink).stdout, PAGE);
      await restart();
      assert.equal(host.curl(uplink).stdout, PAGE);
    });

    await scene("when all is well, no plugin has a word in containerd's log", async () => {
      await end(await cri.run("quiet", web));
      // Its own lines begin so.
      assert.deepEqual(containerd.daemon.lines(/^(?!time=)./), []);
    });

    await scene("a problem is in containerd's log once", async () => {
      const { length } = containerd.daemon.output;
      await use({ ...office, plugins: [first, failing, ...others] });
      await assert.rejects(cri.run("doomed"));
      await containerd.daemon.says(/RunPodSandbox .*doomed.* failed/);
      const told = containerd.daemon.output.slice(length).match(/no_such_setting/g);
      // The setting's name, and the file's.
      assert.ok(told && told.length <= 2, `${told}`);
      await use(office);
    });

    if (side === "ours")
      await scene("a log file named in containerd's environment has each call of a pod", async () => {
        await restart({ env: { PLUMB_LOG_FILE: "/var/log/plumb/calls.log", PLUMB_LOG_LEVEL: "info" } });
        const pod = await cri.run("logged", web);
        await end(pod);
        const lines = host.read("/var/log/plumb/calls.log").split("\n");
        const calls = lines
          .filter((line) => line.includes(`container=${pod}`))
          .map((line) => [/ plugin=(\S+)/, / command=(\S+)/].map((field) => field.exec(line)?.[1]).join(" "));
        const chain = ["loopback", "bridge", "portmap", "bandwidth", "firewall", "tuning"];
        // containerd attaches lo and the network at once.
        const added = calls.filter((call) => call.endsWith(" ADD"));
        assert.deepEqual(
          added.toSorted((one, other) => Number(other === "loopback ADD") - Number(one === "loopback ADD")),
          chain.map((plugin) => `${plugin} ADD`),
        );
        for (const plugin of chain) assert.ok(calls.includes(`${plugin} DEL`), `${calls}`);
        await restart();
      });

    if (side === "ours")
      await scene("what a plugin says of a call that succeeded is in containerd's log", async () => {
        await restart({ env: { PLUMB_LOG_LEVEL: "loud" } });
        await cri.run("warned");
        const lines = containerd.daemon.lines(/^plumb: bridge: ADD .*PLUMB_LOG_LEVEL is ignored/);
        assert.equal(lines.length, 1, containerd.daemon.output);
        await restart();
      });

    if (layers.includes("next/runtimes"))
      await t.test("STATUS says what a network lacks, and that it lacks nothing any more", async () => {
        const ipam = { type: "dhcp" };
        const lan = { cniVersion: "1.1.0", name: "lan", plugins: [{ type: "bridge", bridge: "lan0", ipam }] };
        await use(lan);
        assert.match(await cri.networkProblem(), /dhcp/);
        await host.daemon(t, ["/opt/cni/bin/dhcp", "daemon"], "/run/cni/dhcp.sock");
        assert.equal(await cri.networkProblem(), "");
      });

    host.network("20-backend", backend);
    await restart({ networks: 2 });
    await scene("a pod on two networks, which are attached at once", async () => {
      const { netns } = await cri.pod(await cri.run("both", web));
      const addresses = host.must("nsenter", `--net=${netns}`, "ip", "-4", "-o", "address", "show");
      assert.match(addresses, /eth0 +inet 10\.88\.0\.\d+\/24/);
      assert.match(addresses, /eth1 +inet 10\.89\.0\.\d+\/24/);
      assert.equal(host.curl(uplink).stdout, PAGE);
    });
  });

interface Queue {
  readonly kind: string;
  readonly dev: string;
  /** In bytes a second. */
  readonly options: { readonly rate: number };
}
