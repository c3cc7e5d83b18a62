import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compareVersions,
  incompatibleVersion,
  isAtLeast,
  isSupported,
  pickVersion,
  VERSIONS,
} from "./versions.ts";

test("versions are ordered by number, not by text", () => {
  assert.deepEqual([...VERSIONS].reverse().sort(compareVersions), [...VERSIONS]);
  assert.ok(compareVersions("0.10.0", "0.9.0") > 0);
  assert.ok(compareVersions("10.0.0", "9.9.9") > 0);
  assert.equal(compareVersions("1.0", "1.0.0"), 0);
  assert.ok(isAtLeast("0.4.0", "0.4.0"));
  assert.ok(!isAtLeast("0.3.1", "0.4.0"));
});

test("what is no version is named", () => {
  for (const version of ["", "1.0.0.0", "v1.0.0", "1.0.0-rc1", "1..0", "one"])
    assert.throws(() => compareVersions("1.0.0", version), {
      code: 7,
      message: `invalid CNI version "${version}"`,
    });
});

test("seven versions are supported, written in full", () => {
  assert.equal(VERSIONS.filter(isSupported).length, 7);
  for (const version of ["0.5.0", "1.0", "1.2.0", ""]) assert.ok(!isSupported(version), version);
});

test("the newest supported version of cniVersion and cniVersions is picked", () => {
  const rows: [cniVersion: string | undefined, cniVersions: string[] | undefined, picked: string][] = [
    [undefined, undefined, "0.1.0"],
    ["", undefined, "0.1.0"],
    [undefined, [], "0.1.0"],
    ["0.4.0", undefined, "0.4.0"],
    ["0.4.0", [], "0.4.0"],
    ["0.4.0", ["0.3.1", "1.0.0"], "1.0.0"],
    ["1.0.0", ["0.3.1", "0.4.0"], "1.0.0"],
    [undefined, ["0.3.1", "0.4.0"], "0.4.0"],
    // Newer than ours, or never published: left to others.
    ["0.4.0", ["1.0.0", "9.9.9"], "1.0.0"],
    ["9.9.9", ["0.4.0", "0.5.0"], "0.4.0"],
  ];
  for (const [cniVersion, cniVersions, picked] of rows)
    assert.equal(pickVersion(cniVersion, cniVersions), picked, JSON.stringify([cniVersion, cniVersions]));
});

test("an entry that is no version is an error even if another is supported", () => {
  assert.throws(() => pickVersion("1.0.0", ["0.4.0", "latest"]), {
    code: 7,
    message: 'invalid CNI version "latest"',
  });
});

test("no supported version at all has code 1", () => {
  assert.throws(() => pickVersion("9.9.9"), { code: 1, message: "incompatible CNI versions" });
  assert.throws(() => pickVersion("9.9.9", ["1.2.0"]), {
    code: 1,
    details: /^config is "1\.2\.0, 9\.9\.9", runtime supports /,
  });
});

test("an unsupported version is told with those that are supported", () => {
  const { code, message, details } = incompatibleVersion("9.9.9", ["0.3.1", "0.4.0"]);
  assert.deepEqual(
    [code, message, details],
    [1, "incompatible CNI versions", 'config is "9.9.9", plugin supports ["0.3.1" "0.4.0"]'],
  );
});
