import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSystem } from "../host/fake.ts";
import { CniError } from "../spec/errors.ts";
import { CleanupList } from "./cleanup.ts";
import { explain } from "./explain.ts";
import { failureText, tellFailure } from "./tell.ts";

const place = { command: "DEL", containerId: "c1", ifName: "eth0", network: "net" };

function failureOf(list: CleanupList): CniError {
  try {
    list.finish();
  } catch (error) {
    return explain(error);
  }
  throw new Error("nothing failed");
}

test("a failure says what, the code, and what more there is", () => {
  assert.equal(
    failureText(place, new CniError(7, "no")),
    "DEL of eth0 of c1 from network net failed: no (code 7)",
  );
  assert.equal(
    failureText({ command: "STATUS" }, new CniError(50, "not now", "Wait.")),
    "STATUS failed: not now (code 50). Wait.",
  );
});

test("several failures of a DEL are a line that has each of them once", () => {
  const list = new CleanupList();
  const fail =
    (code: number, msg: string, details = "") =>
    () => {
      throw new CniError(code, msg, details);
    };
  list.step("remove a", fail(100, "busy", "Close it."));
  list.step("remove b", fail(5, "gone"));
  const system = new FakeSystem();
  system.env = ["CNI_COMMAND=DEL", "CNI_CONTAINERID=c1", "CNI_IFNAME=eth0"];
  tellFailure(system.host, "bridge", { Name: "net" }, failureOf(list));
  assert.equal(
    system.stderr,
    "plumb: bridge: DEL of eth0 of c1 from network net failed: cannot remove a: busy (Close it.); cannot remove b: gone (code 100)\n",
  );
});

test("who is called by somebody who tells errors is silent, but only then", () => {
  const said = (variable: string, stat?: string) => {
    const system = new FakeSystem();
    system.env = ["CNI_COMMAND=DEL", variable];
    if (stat !== undefined) {
      system.host.makeDirectories("/proc/self");
      system.host.writeFile("/proc/self/stat", stat);
    }
    tellFailure(system.host, "bridge", undefined, new CniError(7, "no"));
    return system.stderr !== "";
  };
  const stat = "9 (a) 5 x) S 77 9 9 0 -1";
  assert.equal(said("PLUMB_ERRORS_TO=77", stat), false);
  for (const variable of ["PLUMB_ERRORS_TO=7", "PLUMB_ERRORS_TO=", "PLUMB_ERRORS_TO=5", "X=77"])
    assert.equal(said(variable, stat), true, variable);
  // Where there is no /proc, nobody knows.
  assert.equal(said("PLUMB_ERRORS_TO=77"), true);
});
