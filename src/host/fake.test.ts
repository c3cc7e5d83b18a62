import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { casesFor } from "../../test/host/contract.ts";
import { FakeExit, FakeSystem } from "./fake.ts";
import { decodeUtf8, encodeUtf8 } from "./fake-text.ts";

describe("the fake keeps the contract of Host", () => {
  for (const { name, run } of casesFor("fake"))
    it(name, () => {
      const system = new FakeSystem();
      system.env = ["FIRST=1=2", "EMPTY="];
      system.host.makeDirectories("/directory");
      run({ host: system.host, directory: "/directory" });
    });
});

describe("the fake", () => {
  it("gives stdin, keeps stdout and stderr", () => {
    const system = new FakeSystem();
    system.stdin = "Grüße";
    const { host } = system;
    assert.equal(host.decode(host.readAll(0, 100, 1000)), "Grüße");
    host.stdout("out");
    host.stderr("err");
    host.stdout("…");
    assert.deepEqual([system.stdout, system.stderr], ["out…", "err"]);
  });

  it("runs scripted programs", () => {
    const system = new FakeSystem();
    system.programs.set("/bin/upper", ({ argv, env, stdin }) => ({
      exitCode: 3,
      stdout: `${argv.join()} ${env.join()} ${stdin.toUpperCase()}`,
      stderr: "warning",
    }));
    system.programs.set("/bin/slow", () => ({ takesMs: 50, signal: 15 }));
    const call = { argv: ["upper", "x"], env: ["A=1"], stdin: encodeUtf8("ü"), timeoutMs: 49 };
    const result = { exitCode: 3, signal: 0, stdout: "upper,x A=1 Ü", stderr: "" };
    assert.deepEqual(system.host.run("/bin/upper", call), result);
    assert.equal(system.stderr, "warning");
    assert.equal(system.host.run("/bin/upper", { ...call, captureStderr: true }).stderr, "warning");
    assert.throws(() => system.host.run("/bin/slow", call), { call: "run", errno: 110 });
    assert.deepEqual(system.host.run("/bin/slow", { ...call, timeoutMs: 50 }).signal, 15);
  });

  it("answers on sockets, and lets time pass where nothing comes", () => {
    const system = new FakeSystem();
    const { sys } = system;
    system.answer = (sent, { protocol }) => [Uint8Array.of(protocol, ...sent), Uint8Array.of(9)];
    const fd = sys.socket(sys.newnetns(), 16, 3, 12);
    assert.equal(sys.send(fd, Uint8Array.of(1, 2), 1000), 2);
    const into = new Uint8Array(3);
    assert.equal(sys.recv(fd, into, 1000), 3);
    assert.deepEqual([...into], [12, 1, 2]);
    assert.equal(sys.recv(fd, into, 1000), 1);
    const before = system.nowNs;
    assert.equal(sys.recv(fd, into, 1000), -110);
    assert.equal(system.nowNs - before, 1e9);
  });

  it("keeps a namespace's files apart", () => {
    const { host, sys } = new FakeSystem();
    const ns = sys.newnetns();
    host.makeDirectories(`/netns/${ns}/proc/sys`);
    host.writeFile(`/netns/${ns}/proc/sys/x`, "1");
    assert.equal(host.decode(host.readAll(host.openIn(ns, "/proc/sys/x", 0), 10, 1000)), "1");
    assert.throws(() => host.readFile("/proc/sys/x"), { errno: 2 });
  });

  it("ends by an exception", () => {
    assert.throws(() => new FakeSystem().host.exit(3), new FakeExit(3));
  });

  it("encodes and decodes as the Encoding standard does", () => {
    const text = fc.array(fc.nat(0xffff)).map((units) => String.fromCharCode(...units));
    fc.assert(fc.property(text, (t) => assert.deepEqual(encodeUtf8(t), new TextEncoder().encode(t))));
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => assert.equal(decodeUtf8(bytes), decoder.decode(bytes))),
    );
  });
});
