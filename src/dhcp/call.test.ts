import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CniError } from "../spec/errors.ts";
import { readCall } from "./call.ts";

const id = { containerId: "c1", network: "lan", ifName: "eth0" };
const wish = {
  ipv4: "dhcp",
  ipv6: "none",
  request: [1, 3],
  provide: [[12, "host"]],
  priority: 5,
  broadcast: false,
  mtu: true,
};
const add = { command: "ADD", ...id, netns: "/run/netns/c1", wish };

test("all calls are read as they were written", () => {
  const calls = [
    add,
    { command: "CHECK", ...id },
    { command: "DEL", ...id },
    { command: "GC", network: "lan", validAttachments: [{ containerId: "c1", ifName: "eth0" }] },
    { command: "STATUS" },
    { command: "LIST" },
  ];
  for (const call of calls) assert.deepEqual(readCall(JSON.stringify(call)), call);
});

test("what is wrong with a call is told with code 6", () => {
  const rows: [call: unknown, problem: string][] = [
    [[], "expected an object, got []"],
    [{}, "command: expected a string, got nothing"],
    [{ command: "PLAY" }, 'command: expected one of ADD, CHECK, DEL, GC, STATUS, LIST, got "PLAY"'],
    [{ command: "DEL", ...id, containerId: "" }, 'containerId: expected a name, got ""'],
    [{ ...add, netns: "c1" }, 'netns: expected the absolute path of a namespace, got "c1"'],
    [{ ...add, wish: { ...wish, ipv4: "none" } }, "wish: expected a family to be wished for, got"],
    [
      { ...add, wish: { ...wish, request: [0] } },
      "wish.request[0]: expected a whole number from 1 up to 254, got 0",
    ],
    [
      { ...add, wish: { ...wish, provide: [[12]] } },
      "wish.provide[0]: expected an option's code and its value, got [12]",
    ],
    [{ ...add, wish: { ...wish, provide: [[12, 5]] } }, "wish.provide[0][1]: expected a string, got 5"],
    [{ command: "GC", network: "lan" }, "validAttachments: expected a list, got nothing"],
  ];
  for (const [call, problem] of rows) {
    const expected = `malformed request to the DHCP daemon: ${problem}`;
    assert.throws(
      () => readCall(JSON.stringify(call)),
      (error) => error instanceof CniError && error.code === 6 && error.message.startsWith(expected),
      expected,
    );
  }
});

test("no text makes it throw anything else", () => {
  const call = fc.record({ command: fc.constantFrom("ADD", "DEL", "GC", "LIST"), wish: fc.jsonValue() });
  const line = fc.oneof(
    fc.string(),
    fc.json(),
    call.map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(line, (text) => {
      try {
        readCall(text);
      } catch (error) {
        assert.ok(error instanceof CniError && error.code === 6, `${error}`);
      }
    }),
  );
});
