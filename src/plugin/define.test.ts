import assert from "node:assert/strict";
import { test } from "node:test";
import { object } from "../spec/schema.ts";
import { VERSIONS } from "../spec/versions.ts";
import { definePlugin } from "./define.ts";

const add = () => ({});
const del = () => {};

test("a definition with functions becomes a plugin", async () => {
  const plugin = definePlugin({ type: "x", config: object({}), add });
  assert.deepEqual([plugin.type, plugin.versions, plugin.sandbox], ["x", VERSIONS, "netns"]);
  assert.equal(await plugin.load("add"), add);
  assert.equal(await plugin.load("check"), undefined);
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
  assert.equal(await plugin.load("add"), add);
  assert.equal(loaded, 0);
  assert.equal(await plugin.load("del"), del);
  assert.equal(loaded, 1);
});
