import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PLUMB_VERSION } from "../log/version.ts";
import { versionText } from "./version.ts";

test("the version is the package's", () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  assert.equal(PLUMB_VERSION, version);
});

test("versions for people", () => {
  assert.equal(
    versionText({ version: "1.2.3", cniVersions: ["1.0.0", "1.1.0"], plugins: ["a", "b"] }),
    "plumb 1.2.3\nCNI 1.0.0, 1.1.0\nplugins a, b\n",
  );
});
