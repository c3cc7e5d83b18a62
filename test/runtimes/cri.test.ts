import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Containerd } from "./containerd.ts";
import { Cri } from "./cri.ts";
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
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};

const releases: Record<string, Layers> = {
  containerd: ["runtimes"],
  "the next release's containerd": ["next/runtimes", "runtimes"],
};
for (const [name, layers] of Object.entries(releases))
  describe(`CRI of ${name}`, withPrograms(["containerd", "ctr", "runc"], layers), () => {
    it("attaches, and leaves nothing", async (t) => {
      const host = await RuntimeHost.boot(t, layers);
      host.network("10-office", office);
      const containerd = await Containerd.start(t, host);
      const cri = new Cri(t, containerd.socket);
      const id = await cri.run("web", { portMappings: [{ containerPort: 80, hostPort: 8080 }] });
      console.log(await cri.pod(id), await cri.networkProblem());
      console.log(host.exec(["curl", "-s", "http://10.88.0.1:8080"]));
      await cri.stop(id);
      await cri.remove(id);
      assert.deepEqual(await cri.pods(), []);
    });
  });
