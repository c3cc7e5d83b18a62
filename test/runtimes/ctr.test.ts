// containerd's own client: `ctr run --cni`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../e2e/program.ts";
import { plumb } from "../programs.ts";
import { Containerd, RELEASES, withContainerd } from "./containerd.ts";
import { IMAGE, PAGE } from "./image.ts";
import { bridged, failing, firewall, portmap, tuning } from "./networks.ts";
import { RuntimeHost, side } from "./runtime-host.ts";

const office = bridged("office", { subnets: ["10.88.0.0/24", "fd00:88::/64"] }, portmap, firewall, tuning);

for (const [release, layers] of Object.entries(RELEASES))
  test(`ctr run --cni of ${release}`, withContainerd(layers), async (t) => {
    const host = await RuntimeHost.boot(t, layers);
    const beyond = host.beyond();
    const use = (network: object) => host.network("10-office", network);
    use(office);
    const containerd = await Containerd.start(t, host);
    await containerd.run("first", "true");

    const before = host.remains();

    await t.test("a command reaches the world, masqueraded", async () => {
      const outcome = await containerd.run("ping", "ping", "-c1", "-W5", "-q", beyond.address);
      assert.equal(outcome.code, 0, outcome.stderr);
      assert.equal(outcome.stderr, "");
    });

    await t.test("a command's exit code is ctr's", async () => {
      assert.equal((await containerd.run("code", "sh", "-c", "exit 7")).code, 7);
    });

    await t.test("five at once have addresses of their own", async () => {
      const show = ["ip", "-4", "-o", "addr", "show", "eth0"];
      const outcomes = await Promise.all(
        Array.from({ length: 5 }, (_, i) => containerd.run(`many-${i}`, ...show)),
      );
      const addresses = outcomes.map(({ stdout }) => /inet (10\.88\.0\.\d+)\/24/.exec(stdout)?.[1]);
      assert.equal(new Set(addresses).size, 5, JSON.stringify(outcomes));
    });

    await t.test("a failing plugin's words are on the terminal", async () => {
      const [first, ...others] = office.plugins;
      use({ ...office, plugins: [first, failing, ...others] });
      const { code, stderr } = await containerd.run("doomed", "true");
      use(office);
      assert.equal(code, 1);
      assert.match(stderr, /plugin type="tuning" failed \(add\): .*no_such_setting/);
    });

    if (side === "ours")
      await t.test("what a plugin says of a call that succeeded is on the terminal", async () => {
        const warned = [
          "env",
          "PLUMB_LOG_LEVEL=loud",
          "ctr",
          "run",
          "--rm",
          "--cni",
          IMAGE,
          "warned",
          "true",
        ];
        const { code, stderr } = await host.run(warned);
        assert.equal(code, 0);
        assert.match(stderr, /^plumb: bridge: ADD .*PLUMB_LOG_LEVEL is ignored/m);
      });

    await t.test("what ctr does not detach, plumb gc finds", async () => {
      const ctr = async (...command: string[]) => host.must("ctr", ...command);
      await ctr("run", "--detach", "--cni", IMAGE, "web");
      const pid = (await ctr("task", "list")).match(/web +(\d+)/)![1]!;
      const address = host.must(
        "nsenter",
        "--net",
        `--target=${pid}`,
        "ip",
        "-4",
        "-o",
        "address",
        "show",
        "eth0",
      );
      const url = `http://${/inet ([\d.]+)/.exec(address)![1]}`;
      await until("the web server", () => host.curl(url).stdout === PAGE);
      await ctr("task", "kill", "--signal", "SIGKILL", "web");
      await until("its end", () => host.must("ctr", "task", "list").includes("STOPPED"));
      await ctr("task", "delete", "web");
      await ctr("container", "delete", "web");
      // Release 2 asks for DEL here.
      if (!layers.includes("next/runtimes")) assert.equal(reservations(host), 2);
      host.must(plumb, "gc", "office");
      assert.equal(reservations(host), 0);
    });

    await t.test("nothing stays of any of them", () => assert.deepEqual(host.remains(), before));
  });

function reservations(host: RuntimeHost): number {
  return Object.keys(host.reserved("office")).length;
}
