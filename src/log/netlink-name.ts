const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
const HEADER = 16;
const VERBS = ["NEW", "DEL", "GET", "SET"];
/** From RTM_BASE, four types each (linux/rtnetlink.h). */
const OBJECTS = ["LINK", "ADDR", "ROUTE", "NEIGH", "RULE", "QDISC", "TCLASS", "TFILTER"];
const RTM_BASE = 16;
/** nfnetlink: the subsystem stands above the message (linux/netfilter/nfnetlink.h). */
const SUBSYSTEMS: Readonly<Record<number, string>> = { 0: "batch", 1: "conntrack", 10: "nftables" };

/** What is asked of the kernel, for people: `netlink NEWLINK NEWADDR×2`, `netlink nftables×12`. */
export function netlinkSpanName(protocol: number, data: Uint8Array): string {
  const counts = new Map<string, number>();
  for (const type of messageTypes(data)) {
    const name = typeName(protocol, type);
    if (name !== "batch") counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const words = [...counts].map(([name, count]) => (count === 1 ? name : `${name}×${count}`));
  return ["netlink", ...words].join(" ");
}

/** struct nlmsghdr (linux/netlink.h): length u32, type u16; each at a multiple of four. */
function messageTypes(data: Uint8Array): number[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const types: number[] = [];
  for (let at = 0; at + HEADER <= data.length; ) {
    types.push(view.getUint16(at + 4, true));
    at += Math.max(HEADER, (view.getUint32(at, true) + 3) & ~3);
  }
  return types;
}

function typeName(protocol: number, type: number): string {
  const object = OBJECTS[(type - RTM_BASE) >> 2];
  if (protocol === NETLINK_ROUTE && object !== undefined) return `${VERBS[type & 3]}${object}`;
  if (protocol === NETLINK_NETFILTER) return SUBSYSTEMS[type >> 8] ?? `nfnetlink ${type >> 8}`;
  return `${type}`;
}
