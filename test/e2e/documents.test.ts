import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { plumb } from "../programs.ts";
import { root } from "../root.ts";
import { World } from "./world.ts";

// The example that a plugin's page opens with does what the page says, when it is pasted.

const folder = join(root, "docs/plugins");

/** Pages, and what their examples print among other things. */
const pages = {
  bridge: /1 received.*mynet0: .*inet 10\.77\.0\.1\/24/s,
  ptp: /^default via 10\.77\.0\.1 dev eth0/m,
  loopback: /"address":"127\.0\.0\.1\/8".*1 received/s,
  "host-local": /"10\.77\.0\.2\/24".*"fd77::2\/64".*^10\.77\.0\.2$/ms,
  static: /"10\.77\.0\.5\/24"/,
};

for (const [page, printed] of Object.entries(pages))
  test(`the example of docs/plugins/${page}.md`, async (t) => {
    const [, example] = /^```sh\n(.*?)^```/ms.exec(readFileSync(join(folder, `${page}.md`), "utf8"))!;
    const w = await World.start(t);
    // sudo passes assignments on, as env does; /tmp is empty.
    const script = `mkdir /run/programs; cp ${plumb} /run/programs/plumb; ln -s "$(command -v env)" /run/programs/sudo
      mount -t tmpfs tmp /tmp; PATH=/run/programs:$PATH; set -e
      ${example}`;
    const { code, stdout, stderr } = w.exec(["sh", "-c", script]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, printed);
  });
