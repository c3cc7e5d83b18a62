import assert from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../host/errno.ts";
import { SysError } from "../host/host.ts";
import { PluginError } from "../runtime/failure.ts";
import { CniError } from "../spec/errors.ts";
import { errorJson, errorText } from "./report.ts";

const failed = new PluginError({ verb: "ADD", plugin: "bridge", network: "n" }, 100, "no", "line 1\nline 2");

test("a failure for people says what, why, where", () => {
  assert.equal(
    errorText(failed),
    'plumb: plugin type="bridge" failed (add): no\n  line 1\n  line 2\n  (code 100, ADD of plugin bridge, network n)\n',
  );
  assert.equal(errorText(new CniError(7, "wrong")), "plumb: wrong\n  (code 7)\n");
  assert.equal(
    errorText(new SysError("open", errno.EACCES, "/x")),
    "plumb: open /x: EACCES\n  This must run as root, and plugins must be executable.\n  (code 5)\n",
  );
  assert.equal(errorText(new SysError("open", errno.EMFILE)), "plumb: open: EMFILE\n  (code 5)\n");
});

test("an unexpected failure comes with its stack", () => {
  const text = errorText(new TypeError("x is undefined"));
  assert.match(
    text,
    /^plumb: x is undefined\n {2}This is a fault of plumb itself.*\n[\s\S]*report\.test\.ts[\s\S]*\(code 999\)\n$/,
  );
});

test("a failure as JSON is an error object", () => {
  assert.deepEqual(JSON.parse(errorJson(failed)), {
    cniVersion: "1.1.0",
    code: 100,
    msg: 'plugin type="bridge" failed (add): no',
    details: "line 1\nline 2",
    plugin: "bridge",
    network: "n",
  });
  assert.deepEqual(JSON.parse(errorJson(new CniError(7, "x"))), { cniVersion: "1.1.0", code: 7, msg: "x" });
});
