import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../root.ts";

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly os?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
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

  it("has the hash of every package that is installed here", () => {
    const ours = locked.filter(
      ([, { os, libc }]) => (os ?? ["linux"]).includes("linux") && !libc?.includes("musl"),
    );
    assert.ok(ours.length > 5);
    for (const [name, { integrity }] of ours) assert.match(integrity ?? "", /^sha512-/, name);
  });

  it("lists what is for other systems too, without which npm ci refuses it", () => {
    for (const [name, { optionalDependencies = {} }] of locked)
      for (const [wanted, version] of Object.entries(optionalDependencies))
        assert.equal(packages[`node_modules/${wanted}`]?.version, version, `${name} -> ${wanted}`);
  });

  it("has the versions that package.json names, which names them exactly", () => {
    const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    };
    for (const [name, version] of Object.entries(devDependencies))
      assert.equal(packages[`node_modules/${name}`]?.version, version, name);
  });
});
