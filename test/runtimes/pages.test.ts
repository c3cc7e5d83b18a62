import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { plumb } from "../programs.ts";
import { BUILDAH_PROGRAMS } from "./buildah.ts";
import { CONTAINERD_PROGRAMS, Containerd } from "./containerd.ts";
import { commandsOf } from "./page.ts";
import { bootForContainers, PODMAN_PROGRAMS } from "./podman.ts";
import { IMAGE_ARCHIVE, RuntimeHost, withPrograms } from "./runtime-host.ts";

// All commands of a runtime's page, pasted one after the other into a shell of a new machine.

interface Page {
  readonly programs: readonly string[];
  readonly boot: (t: TestContext) => Promise<RuntimeHost>;
  /** Brings the page's image, which the world has no registry for. */
  readonly load: string;
  readonly printed: RegExp;
}

const pages: Record<string, Page> = {
  containerd: {
    programs: CONTAINERD_PROGRAMS,
    boot: async (t) => (await Containerd.start(t, await RuntimeHost.boot(t))).host,
    load: "ctr image tag localhost/box:1 docker.io/library/busybox:latest",
    printed: /10\.88\.0\.2\/24/,
  },
  podman: {
    programs: PODMAN_PROGRAMS,
    boot: (t) => bootForContainers(t, ""),
    load: `podman load --quiet --input ${IMAGE_ARCHIVE} && podman tag localhost/box:1 localhost/busybox`,
    printed:
      /^cni$.*^it works$.*"office".*^10\.77\.0\.2$.*kept +[0-9a-f]{64}\/eth0$.*tcp \. 8080 comment "office\/.*: 10\.77\.0\.2 \. 80/ms,
  },
  buildah: {
    programs: BUILDAH_PROGRAMS,
    boot: (t) => bootForContainers(t, ""),
    load: `buildah pull --quiet docker-archive:${IMAGE_ARCHIVE} && buildah tag localhost/box:1 localhost/busybox`,
    printed: /inet 10\.88\.\d+\.\d+\/16.*STEP 2\/2: RUN ip route.*network podman: 0 kept, 0 removed/s,
  },
};

for (const [page, { programs, boot, load, printed }] of Object.entries(pages))
  test(`${page}: the commands of docs/runtimes/${page}.md`, withPrograms(programs), async (t) => {
    const host = await boot(t);
    host.must("sh", "-ec", load);
    // sudo passes the command on, as env does.
    const script = `mkdir /run/programs; cp ${plumb} /run/programs/plumb; ln -s "$(command -v env)" /run/programs/sudo
      PATH=/run/programs:$PATH; cd /run; set -e
      ${commandsOf(`${page}.md`).join("")}`;
    const { code, stdout, stderr } = host.exec(["sh", "-c", script]);
    assert.equal(code, 0, stderr);
    // buildah tells its progress there.
    assert.doesNotMatch(stderr, /plumb|level=|Error/);
    assert.match(stdout, printed);
    assert.deepEqual([host.veths(), host.reserved("podman"), host.reserved("office")], [[], {}, {}]);
  });
