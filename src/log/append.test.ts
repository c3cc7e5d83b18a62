import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeSystem } from "../host/fake.ts";
import { appendLine } from "./append.ts";

test("a line is appended by one write, and what is missing is made", () => {
  const system = new FakeSystem();
  const { host, sys } = system;
  let writes = 0;
  const write = sys.write;
  sys.write = (fd, data, timeoutMs) => {
    writes++;
    return write(fd, data, timeoutMs);
  };
  const long = "x".repeat(20_000);
  assert.equal(appendLine(host, "/var/log/plumb/a.log", "one"), undefined);
  assert.equal(appendLine(host, "/var/log/plumb/a.log", long), undefined);
  assert.equal(writes, 2);
  assert.equal(host.readFile("/var/log/plumb/a.log"), `one\n${long}\n`);
  assert.equal(host.stat("/var/log/plumb/a.log").mode & 0o777, 0o640);
  assert.equal(appendLine(host, "/top.log", "one"), undefined);
});

test("what goes wrong is told, and nothing is thrown", () => {
  const system = new FakeSystem();
  const { host, sys } = system;
  host.makeDirectories("/folder");
  host.writeFile("/file", "");
  assert.equal(appendLine(host, "/folder", "one"), "open /folder: EISDIR");
  assert.equal(appendLine(host, "/file/log", "one"), "open /file/log: ENOTDIR");
  sys.write = (_, data) => data.length - 2;
  assert.equal(appendLine(host, "/log", "one"), "write /log: 2 of 4 bytes");
  sys.write = () => -28;
  assert.equal(appendLine(host, "/log", "one"), "write /log: ENOSPC");
});
