import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../root.ts";

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
}

describe("package-lock.json", () => {
  const text = readFileSync(join(root, "package-lock.json"), "utf8");
  const { packages } = JSON.parse(text) as { packages: Record<string, Locked> };
  const locked = Object.entries(packages).filter(([name]) => name !== "");

  it("names no place of download: any registry will do", () => {
    assert.deepEqual(
      locked.filter(([, { resolved }]) => resolved !== undefined),
      [],
    );
  });

  it("has the hash of every package", () => {
    assert.ok(locked.length > 5);
    for (const [name, { integrity }] of locked) assert.match(integrity ?? "", /^sha512-/, name);
  });

  it("has the versions that package.json names, which names them exactly", () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    };
    for (const [name, version] of Object.entries(devDependencies))
      assert.equal(packages[`node_modules/${name}`]?.version, version, name);
  });
});
