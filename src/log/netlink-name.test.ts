import assert from "node:assert/strict";
import { test } from "node:test";
import { Writer } from "../netlink/codec.ts";
import { NETLINK_ROUTE, writeMessage } from "../netlink/message.ts";
import { netlinkSpanName } from "./netlink-name.ts";

const NETLINK_NETFILTER = 12;

/** Messages of these types, with bodies of different lengths. */
function messages(...types: number[]): Uint8Array {
  const writer = new Writer(256);
  for (const [index, type] of types.entries())
    writeMessage(writer, { type, flags: 1, sequence: index, body: new Uint8Array(index * 3) });
  return writer.finish();
}

test("what is asked of the kernel has the kernel's names", () => {
  const rows: [protocol: number, data: Uint8Array, name: string][] = [
    [NETLINK_ROUTE, messages(16), "netlink NEWLINK"],
    [NETLINK_ROUTE, messages(16, 16, 20, 24), "netlink NEWLINK×2 NEWADDR NEWROUTE"],
    [
      NETLINK_ROUTE,
      messages(17, 18, 19, 21, 26, 28, 33, 36, 44),
      "netlink DELLINK GETLINK SETLINK DELADDR GETROUTE NEWNEIGH DELRULE NEWQDISC NEWTFILTER",
    ],
    [NETLINK_ROUTE, messages(999), "netlink 999"],
    // NFNL_MSG_BATCH_BEGIN and _END belong to all batches.
    [NETLINK_NETFILTER, messages(0x10, 0xa00, 0xa06, 0x11), "netlink nftables×2"],
    [NETLINK_NETFILTER, messages(0x101), "netlink conntrack"],
    [NETLINK_NETFILTER, messages(0x501), "netlink nfnetlink 5"],
    [NETLINK_ROUTE, new Uint8Array(), "netlink"],
    // A length that would never end.
    [NETLINK_ROUTE, new Uint8Array(32), "netlink 0×2"],
  ];
  for (const [protocol, data, name] of rows) assert.equal(netlinkSpanName(protocol, data), name);
});
