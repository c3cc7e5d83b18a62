import assert from "node:assert/strict";
import { test } from "node:test";
import { toJsonSchema } from "./json-schema.ts";
import {
  anything,
  array,
  boolean,
  cidr,
  dictionary,
  integer,
  object,
  oneOf,
  optional,
  string,
} from "./schema.ts";

test("each schema has its JSON Schema", () => {
  const schema = object({
    type: string(),
    name: string({ pattern: /^[a-z]+$/, expected: "small letters" }),
    mtu: optional(integer(0, 65535)),
    table: optional(integer()),
    mode: optional(oneOf("l2", "l3"), "l2"),
    subnets: array(cidr()),
    flags: dictionary(boolean()),
    args: optional(anything()),
    inner: optional(object({ a: optional(string()) }), {}),
  });
  assert.deepEqual(toJsonSchema(schema), {
    type: "object",
    properties: {
      type: { type: "string" },
      name: { type: "string", pattern: "^[a-z]+$", description: "small letters" },
      mtu: { type: "integer", minimum: 0, maximum: 65535 },
      table: { type: "integer" },
      mode: { enum: ["l2", "l3"], default: "l2" },
      subnets: { type: "array", items: { type: "string", description: "a network such as 10.1.0.0/16" } },
      flags: { type: "object", additionalProperties: { type: "boolean" } },
      args: {},
      inner: { type: "object", properties: { a: { type: "string" } }, default: {} },
    },
    required: ["type", "name", "subnets", "flags"],
  });
});
