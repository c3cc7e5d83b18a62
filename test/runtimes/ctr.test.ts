import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Containerd } from "./containerd.ts";
import { type Layers, RuntimeHost, withPrograms } from "./runtime-host.ts";

const office = {
  cniVersion: "1.0.0",
  name: "office",
  plugins: [
    {
      type: "bridge",
      bridge: "office0",
      isGateway: true,
      ipMasq: true,
      ipam: { type: "host-local", subnet: "10.88.0.0/24", routes: [{ dst: "0.0.0.0/0" }] },
    },
  ],
};

const releases: Record<string, Layers> = {
  containerd: ["runtimes"],
  "the next release's containerd": ["next/runtimes", "runtimes"],
};

for (const [name, layers] of Object.entries(releases))
  describe(`ctr run --cni of ${name}`, withPrograms(["containerd", "ctr", "runc"], layers), () => {
    it("attaches, and leaves nothing", async (t) => {
      const host = await RuntimeHost.boot(t, layers);
      host.network("10-office", office);
      const containerd = await Containerd.start(t, host);
      const before = host.state();
      const { code, stdout, stderr } = await containerd.run(
        "first",
        "ip",
        "-4",
        "-o",
        "addr",
        "show",
        "eth0",
      );
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, /inet 10\.88\.0\.2\/24/);
      console.log(before, host.state());
    });
  });
