// Pastes the example that a plugin's page opens with into a shell, in a world of its own.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { plumb } from "../programs.ts";
import { root } from "../root.ts";
import { World } from "./world.ts";

/** A test that the example of docs/plugins/PAGE.md succeeds, and prints this among other things. */
export function testExample(page: string, printed: RegExp): void {
  test(`the example of docs/plugins/${page}.md`, async (t) => {
    const [, example] = /^```sh\n(.*?)^```/ms.exec(
      readFileSync(join(root, `docs/plugins/${page}.md`), "utf8"),
    )!;
    const w = await World.start(t);
    // sudo passes assignments on, as env does; /tmp is empty.
    const script = `mkdir /run/programs; cp ${plumb} /run/programs/plumb; ln -s "$(command -v env)" /run/programs/sudo
      mount -t tmpfs tmp /tmp; PATH=/run/programs:$PATH; set -e
      ${example}`;
    const { code, stdout, stderr } = w.exec(["sh", "-c", script]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, printed);
  });
}
