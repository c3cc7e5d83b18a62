import assert from "node:assert/strict";
import { test } from "node:test";
import { object } from "../spec/schema.ts";
import { VERSIONS } from "../spec/versions.ts";
import { definePlugin } from "./define.ts";
import type { AddRequest } from "./types.ts";

/** Only plugins that choose by it look at it. */
const request = {} as never;
const add = () => ({});
const del = () => {};

test("a definition with functions becomes a plugin", async () => {
  const plugin = definePlugin({ type: "x", config: object({}), add });
  assert.deepEqual([plugin.type, plugin.versions, plugin.sandbox], ["x", VERSIONS, "netns"]);
  assert.equal(await plugin.load("add", request), add);
  assert.equal(await plugin.load("check", request), undefined);
});

test("functions in modules of their own are loaded when they are asked for", async () => {
  let loaded = 0;
  const lazy = {
    del: async () => {
      loaded++;
      return { del };
    },
  };
  const plugin = definePlugin({ type: "x", config: object({}), add, lazy });
  assert.equal(await plugin.load("add", request), add);
  assert.equal(loaded, 0);
  assert.equal(await plugin.load("del", request), del);
  assert.equal(loaded, 1);
});

test("the request may tell which module is loaded", async () => {
  const one = () => ({});
  const lazy = { add: async ({ network }: AddRequest<object>) => ({ add: network === "one" ? one : add }) };
  const plugin = definePlugin({ type: "x", config: object({}), lazy });
  assert.equal(await plugin.load("add", { network: "one" } as never), one);
  assert.equal(await plugin.load("add", { network: "two" } as never), add);
});
