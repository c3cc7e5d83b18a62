import assert from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../host/errno.ts";
import { FakeSystem } from "../host/fake.ts";
import { Host } from "../host/host.ts";
import { execPlugin, findExecutable, isOurself, readOutput, splitPath } from "./exec.ts";

test("CNI_PATH is a list of directories; empty entries are none", () => {
  assert.deepEqual(splitPath("/a:/b/c"), ["/a", "/b/c"]);
  assert.deepEqual(splitPath(":/a::"), ["/a"]);
  assert.deepEqual(splitPath(""), []);
});

test("the first regular file of the name is the plugin, whatever else is in the way", () => {
  const { host } = new FakeSystem();
  for (const path of ["/directory/x", "/first", "/second"]) host.makeDirectories(path);
  for (const file of ["/file", "/first/x", "/second/x", "/second/y"]) host.writeFile(file, "");
  host.sys.symlink("/loop/x", "/loop");
  const found = (type: string, ...path: string[]) => findExecutable(host, type, path);
  assert.equal(found("x", "/none", "/first", "/second"), "/first/x");
  assert.equal(found("y", "/first", "/second"), "/second/y");
  assert.equal(found("x", "", "/file", "/directory", "/loop", "/second"), "/second/x");
  assert.equal(found("z", "/first", "/second"), undefined);
  assert.equal(found("x"), undefined);
});

test("we are what has the inode of /proc/self/exe", () => {
  const { host } = new FakeSystem();
  host.makeDirectories("/proc/self");
  for (const file of ["/plumb", "/copy"]) host.writeFile(file, "same");
  assert.equal(isOurself(host, "/plumb"), false);
  host.sys.symlink("/plumb", "/proc/self/exe");
  host.sys.symlink("/plumb", "/symlink");
  host.sys.link("/plumb", "/link");
  for (const file of ["/plumb", "/symlink", "/link"]) assert.equal(isOurself(host, file), true);
  assert.equal(isOurself(host, "/copy"), false);
});

const CALL = { type: "x", file: "/bin/x", command: "DEL", stdin: "{}" };

test("a plugin is called by its path, in our environment but for the command", () => {
  const system = new FakeSystem();
  system.env = ["A=1", "CNI_COMMAND=ADD", "CNI_COMMAND_X=2", "CNI_NETNS=", "PLUMB_ERRORS_TO=7"];
  system.programs.set("/bin/x", (call) => ({ stdout: JSON.stringify(call), stderr: "a warning" }));
  assert.deepEqual(JSON.parse(execPlugin(system.host, CALL)), {
    argv: ["/bin/x"],
    env: ["A=1", "CNI_COMMAND_X=2", "CNI_NETNS=", "CNI_COMMAND=DEL", `PLUMB_ERRORS_TO=${system.pid}`],
    stdin: "{}",
  });
  assert.equal(system.stderr, "a warning");
});

test("a plugin that takes too long has code 11", () => {
  const rows: [env: string[], message: string][] = [
    [[], "plugin x did not end within 240 s"],
    [["PLUMB_TIMEOUT_MS=250"], "plugin x did not end within 0.25 s"],
  ];
  for (const [env, message] of rows) {
    const system = new FakeSystem();
    system.env = env;
    system.programs.set("/bin/x", () => ({ takesMs: 240_001 }));
    assert.throws(() => execPlugin(system.host, CALL), { code: 11, message });
  }
});

test("an executable that is being written is tried again for a second", () => {
  for (const [busy, succeeds] of [
    [4, true],
    [5, false],
  ] as const) {
    const system = new FakeSystem();
    system.programs.set("/bin/x", () => ({ stdout: "{}" }));
    let left = busy;
    const run: typeof system.sys.run = (...call) => (left-- > 0 ? -errno.ETXTBSY : system.sys.run(...call));
    const host = new Host({ ...system.sys, run });
    if (succeeds) assert.equal(execPlugin(host, CALL), "{}");
    else
      assert.throws(() => execPlugin(host, CALL), {
        code: 5,
        message: "cannot run plugin x: run /bin/x: ETXTBSY",
      });
  }
});

test("what a plugin printed is read, and an error object is thrown", () => {
  assert.deepEqual(readOutput("x", '{"ips":[]}\n'), { ips: [] });
  assert.deepEqual(readOutput("x", " \n"), {});
  assert.equal(readOutput("x", "null"), null);
  assert.throws(() => readOutput("x", "{"), {
    code: 6,
    message: "plugin x printed no JSON",
    details: 'It printed "{".',
  });
  assert.throws(() => readOutput("x", '{"code":11,"msg":"later","details":"why"}'), {
    code: 11,
    message: "later",
    details: "why",
  });
});
