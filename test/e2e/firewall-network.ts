// Networks of bridge and firewall for the tests of the latter, and what stands in the host's firewall.
import type { CallSettings, Container, Json, World } from "./world.ts";

/** A bridge with addresses of both families: `index` tells them from another one's. */
export function bridge(index = 1, name = `br${index}`): Json {
  return {
    type: "bridge",
    bridge: name,
    isDefaultGateway: true,
    ipam: {
      type: "host-local",
      ranges: [[{ subnet: `10.${index}.0.0/24` }], [{ subnet: `fd0${index}::/64` }]],
    },
  };
}

/** Calls the plugins of a chain, each with the result of the one before; gives the last one's. */
export function attach(
  w: World,
  chain: readonly Json[],
  container: Container,
  settings: CallSettings = {},
): Json {
  let prevResult: Json;
  for (const config of chain) prevResult = w.add(config, container, { ...settings, prevResult });
  return prevResult;
}

/** DEL, the last plugin first. */
export function detach(
  w: World,
  chain: readonly Json[],
  container: Container,
  settings: CallSettings = {},
): void {
  for (const config of [...chain].reverse()) w.del(config, container, settings);
}

/** Elements of the firewall's sets by nftables, and the chains that count: `addresses4 10.1.0.2`. Those that end are none. */
export function entries(w: World): string[] {
  const lines: string[] = [];
  for (const family of ["inet", "bridge"]) {
    const { code, stdout } = w.exec(["nft", "-j", "list", "table", family, "cni_plugins_firewall"]);
    for (const { set, map, chain } of code === 0 ? JSON.parse(stdout).nftables : []) {
      const { name, elem = [] } = set ?? map ?? {};
      for (const element of elem) {
        const { val, expires } =
          element.elem ?? (Array.isArray(element) ? { ...element[0].elem } : { val: element });
        const key = (typeof val === "string" ? [val] : val.concat).join(" . ");
        if (expires === undefined) lines.push(`${family === "bridge" ? "port " : ""}${name} ${key}`);
      }
      if (/^(bridge|isolated)-/.test(chain?.name)) lines.push(`chain ${chain.name}`);
    }
  }
  return lines.sort();
}

/** Rules of iptables in the table filter that are about addresses, of both families: `-s 10.1.0.2/32 -j ACCEPT`. */
export function addressRules(w: World): string[] {
  const lines = [...w.iptables("iptables-save", "filter"), ...w.iptables("ip6tables-save", "filter")];
  return lines.flatMap((line) =>
    /^-A CNI-FORWARD -[sd] /.test(line) ? [line.replace("-A CNI-FORWARD ", "")] : [],
  );
}

/** What was written down of who has which address: `10.1.0.2`. */
export function records(w: World): string[] {
  const { stdout } = w.exec(["sh", "-c", "ls /run/cni/firewall 2>/dev/null"]);
  return stdout.split("\n").flatMap((name) => /^(.*)-[0-9a-f]+-[0-9a-f]+$/.exec(name)?.[1] ?? []);
}

/** What either backend has for containers. */
export const held = (w: World): string[][] => [entries(w), addressRules(w), records(w)];
export const NOTHING: string[][] = [[], [], []];

export const backends = ["nftables", "iptables"] as const;
export const by = (backend: string): Json => ({ type: "firewall", backend });
