import assert from "node:assert/strict";
import { test } from "node:test";
import { CniError, ErrorCode, errorObject } from "./errors.ts";

test("any thrown value becomes an error object in the configuration's version", () => {
  const rows: [thrown: unknown, expected: object][] = [
    [
      new CniError(ErrorCode.InvalidConfig, "invalid configuration: mtu", "say 0 to 65535"),
      { code: 7, msg: "invalid configuration: mtu", details: "say 0 to 65535" },
    ],
    [new CniError(ErrorCode.TryAgainLater, "busy"), { code: 11, msg: "busy" }],
    [new TypeError("x is undefined"), { code: 999, msg: "x is undefined" }],
    ["text", { code: 999, msg: "text" }],
    [undefined, { code: 999, msg: "undefined" }],
  ];
  for (const [thrown, expected] of rows)
    assert.deepEqual(errorObject(thrown, "0.4.0"), { cniVersion: "0.4.0", ...expected });
});

test("an error keeps its cause", () => {
  const cause = new Error("EPERM");
  const error = new CniError(ErrorCode.Plugin, "cannot create the bridge", "", { cause });
  assert.equal(error.cause, cause);
  assert.equal(error.name, "CniError");
});

test("codes are those of the specification", () => {
  // Specification 1.1.0, section 5, "Error"; 8 and 999 are the reference's.
  assert.deepEqual(Object.values(ErrorCode), [1, 2, 3, 4, 5, 6, 7, 8, 11, 50, 51, 100, 999]);
});
