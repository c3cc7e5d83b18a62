import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { after, describe, it } from "node:test";
import { root } from "../root.ts";

const ROOMS = [
  "address",
  "spec",
  "host",
  "log",
  "netlink",
  "net",
  "dhcp",
  "plugin",
  "plugins",
  "runtime",
  "cli",
];

const ALLOWED: readonly [file: string, specifier: string][] = [
  ["src/netlink/within.ts", "./nftables/rule.ts"],
  ["src/netlink/nftables/within.ts", "../address.ts"],
  ["src/plugins/bridge/within.ts", "../host-local/lease.ts"],
  ["src/above-all.ts", "./cli/main.ts"],
  ["src/host/on-node.node.ts", "node:fs"],
  ["src/host/some.test.ts", "node:fs"],
  ["src/host/upward.test.ts", "../netlink/message.ts"],
  ["test/net/some.test.ts", "node:fs"],
];
const REFUSED: readonly [file: string, specifier: string][] = [
  ["src/cli/node.ts", "node:fs"],
  ["src/net/folder/node.ts", "node:fs"],
  ["src/cli/on-node.ts", "./other.node.ts"],
  ["src/node.ts", "node:fs"],
];
for (const [height, room] of ROOMS.entries())
  for (const [other, target] of ROOMS.entries()) {
    if (other === height) continue;
    const list = other < height && room !== "host" ? ALLOWED : REFUSED;
    (list as [string, string][]).push(
      [`src/${room}/to-${target}.ts`, `../${target}/other.ts`],
      [`src/${room}/folder/to-${target}.ts`, `../../${target}/folder/other.ts`],
    );
  }

describe("the lint rules for imports", () => {
  const directory = mkdtempSync(join(tmpdir(), "plumb-imports-"));
  after(() => rmSync(directory, { recursive: true }));

  copyFileSync(join(root, "biome.json"), join(directory, "biome.json"));
  for (const [file, specifier] of [...ALLOWED, ...REFUSED]) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), `import { something } from "${specifier}";\n\nsomething();\n`);
  }
  const options = [
    "--vcs-enabled=false",
    "--only=style/noRestrictedImports",
    "--max-diagnostics=none",
    "--reporter=github",
  ];
  const { stdout, stderr } = spawnSync(join(root, "node_modules/.bin/biome"), ["lint", ...options, "."], {
    cwd: directory,
    encoding: "utf8",
  });
  const named = [...stdout.matchAll(/noRestrictedImports,file=([^,]+),/g)];
  const refused = new Set(named.map(([, path]) => relative(directory, path!)));

  it("refuse what leads upward, and Node outside *.node.ts", () => {
    assert.deepEqual(
      REFUSED.filter(([file]) => !refused.has(file)),
      [],
      stderr,
    );
  });

  it("let pass what leads downward or stays in the room", () => {
    assert.deepEqual(
      ALLOWED.filter(([file]) => refused.has(file)),
      [],
    );
  });
});
