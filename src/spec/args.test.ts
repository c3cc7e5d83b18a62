import assert from "node:assert/strict";
import { test } from "node:test";
import { checkArgs, parseArgs } from "./args.ts";

const KUBERNETES =
  "K8S_POD_NAME=web-0;IgnoreUnknown=1;K8S_POD_UID=;K8S_POD_NAMESPACE=default;K8S_POD_INFRA_CONTAINER_ID=4f2a";

test("pairs are read in any order, values may be empty", () => {
  assert.deepEqual(Object.fromEntries(parseArgs(KUBERNETES)), {
    K8S_POD_NAME: "web-0",
    IgnoreUnknown: "1",
    K8S_POD_UID: "",
    K8S_POD_NAMESPACE: "default",
    K8S_POD_INFRA_CONTAINER_ID: "4f2a",
  });
});

test("unset and empty CNI_ARGS hold nothing", () => {
  assert.equal(parseArgs(undefined).size, 0);
  assert.equal(parseArgs("").size, 0);
});

test("a malformed pair is named", () => {
  const rows: [text: string, pair: string][] = [
    ["A", "A"],
    ["A=1;B", "B"],
    ["A=1;", ""],
    [";A=1", ""],
    ["A=1;B=2=3", "B=2=3"],
    ["=1", "=1"],
  ];
  for (const [text, pair] of rows)
    assert.throws(
      () => parseArgs(text),
      { code: 4, message: `CNI_ARGS: invalid pair ${JSON.stringify(pair)}` },
      text,
    );
});

test("unknown keys are refused by name unless IgnoreUnknown says otherwise", () => {
  const known = ["IP", "MAC"];
  for (const text of ["", "IP=1", "MAC=1;IP=2", "IgnoreUnknown=0;IP=1", KUBERNETES, "X=1;IgnoreUnknown=TRUE"])
    assert.doesNotThrow(() => checkArgs(parseArgs(text), known), text);
  for (const text of ["IP=1;X=1;Y=2", "X=;IgnoreUnknown=false;Y=", "IgnoreUnknown=0;X=;Y="])
    assert.throws(
      () => checkArgs(parseArgs(text), known),
      { code: 4, message: "CNI_ARGS: unknown args X, Y" },
      text,
    );
  // Names are exact, as in the reference.
  assert.throws(() => checkArgs(parseArgs("ip=1"), known), { code: 4 });
  assert.throws(() => checkArgs(parseArgs("ignoreunknown=1"), known), { code: 4 });
});

test("IgnoreUnknown must be a truth value", () => {
  assert.throws(() => checkArgs(parseArgs("IgnoreUnknown=yes"), []), {
    code: 4,
    message: 'CNI_ARGS: invalid IgnoreUnknown "yes"',
  });
});
