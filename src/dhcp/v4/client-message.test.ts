import assert from "node:assert/strict";
import { test } from "node:test";
import { MacAddress } from "../../address/mac.ts";
import { FakeSystem } from "../../host/fake.ts";
import type { Wish } from "../protocol.ts";
import { encodeClientMessage } from "./client-message.ts";
import { decodeMessage } from "./message.ts";
import { MessageType, Option } from "./options.ts";

const { host } = new FakeSystem();
const wish: Wish = {
  ipv4: "dhcp",
  ipv6: "none",
  request: [1, 3],
  provide: [],
  broadcast: false,
  mtu: true,
};
const channel = { mac: new MacAddress(Uint8Array.of(2, 0, 0, 0, 0, 1)), mtu: 1500, sharesMac: false };

test("the client's identifier is the attachment's name, as much of it as an option holds", () => {
  const rows: [containerId: string, identifier: string][] = [
    ["c", "\0c/office/eth0"],
    ["c".repeat(241), `\0${"c".repeat(241)}/office/eth0`.slice(0, 255)],
    ["c".repeat(300), `\0${"c".repeat(254)}`],
  ];
  for (const [containerId, identifier] of rows) {
    const id = { containerId, network: "office", ifName: "eth0" };
    const about = { type: MessageType.Discover, xid: 1, secs: 0 };
    const { options } = decodeMessage(encodeClientMessage({ host, id, wish }, channel, about));
    assert.equal(host.decode(options.get(Option.ClientId)!), identifier);
  }
});

test("more seconds than the field holds are as many as it holds", () => {
  const id = { containerId: "c", network: "office", ifName: "eth0" };
  for (const [secs, told] of [
    [65_535, 65_535],
    [65_536, 65_535],
    [1e9, 65_535],
  ] as const) {
    const about = { type: MessageType.Discover, xid: 1, secs };
    assert.equal(decodeMessage(encodeClientMessage({ host, id, wish }, channel, about)).secs, told);
  }
});
