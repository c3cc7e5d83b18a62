import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const folder = new URL(".", import.meta.url);
const HEADERS = [
  "sys/ioctl.h",
  "sys/socket.h",
  "linux/netlink.h",
  "linux/rtnetlink.h",
  "linux/if.h",
  "linux/if_addr.h",
  "linux/if_bridge.h",
  "linux/if_ether.h",
  "linux/if_link.h",
  "linux/if_tun.h",
  "linux/if_vlan.h",
  "linux/ip.h",
  "linux/fib_rules.h",
  "linux/neighbour.h",
  "linux/pkt_cls.h",
  "linux/pkt_sched.h",
  "linux/tc_act/tc_mirred.h",
  "linux/veth.h",
  "linux/netfilter/nf_conntrack_common.h",
  "linux/netfilter/nfnetlink.h",
  "linux/netfilter/nfnetlink_conntrack.h",
];
/** A constant with one of these prefixes is the kernel's; others are our own. */
const KERNEL =
  /^(AF|SOL|SO|NETLINK|NLM|NLMSG|NLMSGERR|RTM|RTA|RTAX|RTN|RTNH|RTPROT|RT|RTEXT|IFLA|IFA|IFF|IFNAMSIZ|NDA|NUD|NTF|FRA|FR|FIB|TC|TCA|BRIDGE|ETH|VETH|MACVLAN_MODE|VLAN_FLAG|IPV4_DEVCONF)_|^TUNSET/;
const DEFINITION = /^\s*(?:export )?const ([A-Z][A-Z0-9_]*) = (0x[0-9a-f]+|0o[0-7]+|\d+);/gim;

/** The kernel's constants in our sources, with their values. */
function constants(): [name: string, value: number, file: string][] {
  const found: [string, number, string][] = [];
  const elsewhere = ["../net/tap.ts", "../dhcp/packet-socket.ts", "../dhcp/v4/transport.ts"];
  for (const file of [...elsewhere, ...readdirSync(folder, { recursive: true, encoding: "utf8" })]) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts") || file.startsWith("nftables")) continue;
    for (const [, name, value] of readFileSync(new URL(file, folder), "utf8").matchAll(DEFINITION))
      if (KERNEL.test(name!)) found.push([name!, Number(value), file]);
  }
  return found;
}

test("the constants have the values of the C headers", (t) => {
  if (!existsSync("/usr/include/linux/rtnetlink.h"))
    return t.skip("no kernel headers: install linux-libc-dev");
  const ours = constants();
  assert.ok(ours.length > 100, `only ${ours.length} constants found in the sources`);
  const directory = mkdtempSync(join(tmpdir(), "plumb-constants-"));
  try {
    const names = [...new Set(ours.map(([name]) => name))];
    const lines = names.map((name) => `  printf("%lld\\n", (long long)(${name}));`);
    const includes = ["stdio.h", ...HEADERS].map((header) => `#include <${header}>`);
    const program = join(directory, "constants");
    writeFileSync(
      `${program}.c`,
      [...includes, "int main(void) {", ...lines, "  return 0;", "}", ""].join("\n"),
    );
    try {
      execFileSync("cc", ["-o", program, `${program}.c`], { stdio: "pipe" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return t.skip("no C compiler: install gcc");
      throw error;
    }
    const values = execFileSync(program, { encoding: "utf8" }).trim().split("\n").map(Number);
    const theirs = new Map(names.map((name, i) => [name, values[i]]));
    for (const [name, value, file] of ours) assert.equal(value, theirs.get(name), `${name} in ${file}`);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
