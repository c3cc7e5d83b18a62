import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyFamily, anyName, anyNetwork, anyPart, anyU32 } from "../../test/arbitraries.ts";
import { parseCidr } from "../address/cidr.ts";
import { Writer } from "./codec.ts";
import { addRule, decodeRule, type Rule, removeRule } from "./rule.ts";

const RTM_NEWRULE = 32;

test("a rule comes back as it went", () => {
  const anyRule = anyFamily.chain((family) => {
    const cidr = anyNetwork(family).filter(({ prefixLength }) => prefixLength > 0);
    const rest = anyPart({
      priority: anyU32,
      from: cidr,
      to: cidr,
      input: anyName,
      output: anyName,
      mark: anyU32,
      markMask: anyU32,
      table: fc.integer({ min: 1, max: 0xffffffff }),
      l3mdev: fc.boolean(),
      invert: fc.boolean(),
      suppressPrefixLength: fc.nat(128),
      action: fc.nat(255),
      protocol: fc.nat(255),
    });
    return rest.map((given): Rule => ({ family, ...given }));
  });
  fc.assert(
    fc.property(anyRule, (rule) => {
      const { body, type } = addRule(rule);
      const decoded = decodeRule(body, type)!;
      const defaults = { priority: 0, action: 1, l3mdev: false, invert: false };
      for (const [key, value] of Object.entries(decoded))
        assert.deepEqual(value, { ...defaults, ...rule }[key as keyof Rule], key);
      assert.deepEqual(removeRule(rule).body, body);
    }),
  );
});

test("requests say what they do", () => {
  const [from, to] = [parseCidr("10.1.2.3/32")!, parseCidr("10.0.0.0/8")!];
  const { what } = addRule({ family: 4, from, to, input: "eth0", mark: 5, table: 100 });
  assert.equal(what, "add rule from 10.1.2.3/32 to 10.0.0.0/8 iif eth0 fwmark 5 lookup 100");
});

test("other messages and families are passed over", () => {
  assert.equal(decodeRule(new Writer().u32(2).zeros(8).finish(), 33), undefined);
  assert.equal(decodeRule(new Writer().u32(129).zeros(8).finish(), RTM_NEWRULE), undefined);
});
