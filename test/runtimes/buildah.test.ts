import assert from "node:assert/strict";
import { test } from "node:test";
import { answer } from "../e2e/answering.ts";
import { Program } from "../e2e/program.ts";
import { plumb } from "../programs.ts";
import { BUILDAH_PROGRAMS, Buildah, SOURCE } from "./buildah.ts";
import { PAGE } from "./image.ts";
import { beforeEachPlugin } from "./podman.ts";
import { side, withPrograms } from "./runtime-host.ts";

// buildah attaches what it runs to the default network, by the path /proc/PID/fd/9, and detaches it behind each command.

const OFFICE = {
  cniVersion: "1.0.0",
  name: "office",
  plugins: [
    {
      type: "bridge",
      bridge: "office0",
      isDefaultGateway: true,
      ipMasq: true,
      ipam: { type: "host-local", ranges: [[{ subnet: "10.101.0.0/16" }]] },
    },
    { type: "firewall" },
  ],
};

test("buildah", withPrograms(BUILDAH_PROGRAMS), async (t) => {
  const buildah = await Buildah.start(t);
  const { host, outside } = buildah;
  await answer(t, outside, 7);

  await t.test(
    "buildah: run: a command in a container has address, route and the world",
    buildah.case(() => {
      const box = buildah.from("box");
      assert.match(
        buildah.must("run", box, "ip", "-4", "address", "show", "eth0"),
        /inet 10\.88\.\d+\.\d+\/16/,
      );
      assert.match(buildah.must("run", box, "ip", "route"), /^default via 10\.88\.0\.1 dev eth0/m);
      assert.equal(buildah.must("run", box, "wget", "-q", "-O", "-", SOURCE), PAGE);
      // The world sees the host's address.
      assert.equal(buildah.must("run", box, "nc", "192.0.2.2", "7"), "outside 192.0.2.1");
      buildah.must("rm", box);
    }),
  );

  await t.test(
    "buildah: run of a command that fails",
    buildah.case(() => {
      const box = buildah.from("box");
      assert.equal(buildah.exec("run", box, "sh", "-c", "exit 3").code, 3);
      buildah.must("rm", box);
    }),
  );

  await t.test(
    "buildah: what one that is killed leaves, plumb gc removes",
    buildah.case(async (t) => {
      const box = buildah.from("box");
      const program = new Program(t, host, ["buildah", "run", box, "sh", "-c", "echo started; sleep 600"]);
      await program.says(/started/);
      host.must(plumb, "gc", "podman");
      assert.equal(Object.keys(host.reserved("podman")).length, 1);
      const pids = host.must("pgrep", "--full", "buildah|sleep 600").trim().split("\n");
      host.exec(["kill", "-9", ...pids]);
      await program.end();
      assert.equal(Object.keys(host.reserved("podman")).length, 1);
      host.must(plumb, "gc", "podman");
      assert.deepEqual(host.reserved("podman"), {});
      buildah.must("rm", box);
    }),
  );

  await t.test(
    "buildah: run with a network of one's own (--network), and without one",
    buildah.case(() => {
      host.network("office", OFFICE);
      const box = buildah.from("box");
      const address = (network: string) =>
        buildah.must("run", `--network=${network}`, box, "ip", "-4", "-o", "address");
      assert.match(address("office"), /inet 10\.101\.0\.2\/16/);
      assert.doesNotMatch(address("none"), /eth0/);
      buildah.must("rm", box);
      host.must("rm", "/etc/cni/net.d/office.conflist");
      host.must("ip", "link", "delete", "office0");
    }),
  );

  await t.test(
    "buildah: build: RUN steps fetch from the world",
    buildah.case(() => {
      const folder = buildah.containerfile(
        "fetch",
        `RUN wget -q -O /www/index.html ${SOURCE}`,
        `RUN ip -4 -o address show eth0 && wget -q -O /second ${SOURCE}`,
      );
      buildah.must("build", "--quiet", "--tag=localhost/fetched:1", folder);
      const box = buildah.must("from", "--pull-never", "localhost/fetched:1");
      assert.equal(
        buildah.must("run", "--network=none", box, "cat", "/www/index.html", "/second"),
        PAGE + PAGE,
      );
      buildah.must("rm", box);
    }),
  );

  await t.test(
    "buildah: build with a RUN step that fails",
    buildah.case(() => {
      const folder = buildah.containerfile("failing", `RUN wget -q -O /page ${SOURCE}`, "RUN exit 5");
      const { code, stderr } = buildah.exec("build", "--tag=localhost/failing:1", folder);
      assert.notEqual(code, 0);
      assert.match(stderr, /^Error: building at STEP "RUN exit 5": while running runtime: exit status 5$/m);
    }),
  );

  await t.test(
    "buildah: five builds at once",
    buildah.case(async () => {
      const names = Array.from({ length: 5 }, (_, index) => `build${index}`);
      const built = await Promise.all(
        names.map((name) => {
          const folder = buildah.containerfile(name, `RUN echo ${name} && wget -q -O /page ${SOURCE}`);
          return buildah.run("build", "--quiet", "--no-cache", `--tag=localhost/${name}:1`, folder);
        }),
      );
      for (const { code, stderr } of built) assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    }),
  );

  await t.test(
    "buildah: a plugin's error is shown once, in the step that failed, what it writes on stderr nowhere",
    buildah.case(() => {
      host.network("office", {
        ...OFFICE,
        plugins: [{ ...OFFICE.plugins[0], bridge: "office1", vlan: 5000 }],
      });
      const folder = buildah.containerfile("refused", "RUN true");
      const run = buildah.from("box");
      const env = beforeEachPlugin(host, "echo a word from $name >&2");
      for (const command of [
        ["run", "--network=office", run, "true"],
        ["build", "--quiet", "--no-cache", "--network=office", folder],
      ]) {
        const { code, stderr } = host.exec(["buildah", ...command], { env });
        assert.notEqual(code, 0);
        assert.match(
          stderr,
          /plugin type="bridge" failed \(add\): cni plugin bridge failed: invalid VLAN ID 5000/,
        );
        assert.doesNotMatch(stderr, /a word from/);
        if (side === "ours") assert.equal(stderr.split("invalid VLAN ID 5000").length, 2, stderr);
      }
      buildah.must("rm", run);
      host.must("rm", "/etc/cni/net.d/office.conflist");
    }),
  );
});
