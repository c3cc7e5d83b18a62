import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../root.ts";

/** Whether the lint rules let a file of this name import this. */
function allowed(file: string, specifier: string): boolean {
  const biome = join(root, "node_modules/.bin/biome");
  const text = `import { something } from "${specifier}";\n\nsomething();\n`;
  const args = ["lint", "--only=style/noRestrictedImports", `--stdin-file-path=${file}`];
  const { stdout, stderr } = spawnSync(biome, args, { cwd: root, input: text, encoding: "utf8" });
  const refused = /noRestrictedImports/.test(stdout + stderr);
  assert.ok(refused || stdout === text, `biome did not check ${file}: ${stdout}${stderr}`);
  return !refused;
}

describe("imports go downward only", () => {
  const rooms = ["address", "spec", "host", "netlink", "net", "plugin", "plugins", "runtime", "cli"];
  for (const [height, room] of rooms.entries())
    it(`from ${room}`, () => {
      for (const [other, target] of rooms.entries()) {
        if (other === height) continue;
        const downward = other < height && room !== "host";
        assert.equal(
          allowed(`src/${room}/file.ts`, `../${target}/other.ts`),
          downward,
          `${room} -> ${target}`,
        );
        assert.equal(
          allowed(`src/${room}/folder/file.ts`, `../../${target}/a/b.ts`),
          downward,
          `${room}/* -> ${target}`,
        );
      }
    });

  it("and stay free within a room", () => {
    assert.ok(allowed("src/netlink/file.ts", "./nftables/rule.ts"));
    assert.ok(allowed("src/netlink/nftables/file.ts", "../address.ts"));
    assert.ok(allowed("src/plugins/bridge/file.ts", "../host-local/lease.ts"));
    assert.ok(allowed("src/main.ts", "./cli/main.ts"));
  });

  it("Node is for *.node.ts and for tests", () => {
    for (const file of ["src/cli/file.ts", "src/net/folder/file.ts", "src/main.ts"]) {
      assert.equal(allowed(file, "node:fs"), false, file);
      assert.equal(allowed(file, "./other.node.ts"), false, file);
    }
    for (const file of ["src/host/file.node.ts", "src/host/file.test.ts", "test/net/file.test.ts"])
      assert.ok(allowed(file, "node:fs"), file);
  });
});
