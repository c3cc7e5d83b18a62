// What the tests of portmap share.
import type { TestContext } from "node:test";
import { answer } from "./answering.ts";
import type { Container, Json, World } from "./world.ts";

const ipam = {
  type: "host-local",
  ranges: [[{ subnet: "10.1.0.0/24" }], [{ subnet: "fd01::/64" }]],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
};
/** Where bridges pass their packets to the rules (br_netfilter), a container reaches itself by this mode alone. */
export const bridge = { type: "bridge", bridge: "br0", isGateway: true, hairpinMode: true, ipam };

export const BACKENDS = ["nftables", "iptables"] as const;

/** `8080:80`, `192.0.2.1:8080:80/udp`, `[fd99::1]:8080:80` as a port mapping. */
export function mapping(text: string): Json {
  const [, hostIP, hostPort, containerPort, protocol] = /^(?:(.*):)?(\d+):(\d+)(?:\/(\w+))?$/.exec(text)!;
  return {
    hostPort: Number(hostPort),
    containerPort: Number(containerPort),
    ...(protocol && { protocol }),
    ...(hostIP && { hostIP: hostIP.replace(/[[\]]/g, "") }),
  };
}

export function portmap(mappings: readonly string[], more: object = {}): Json {
  return { type: "portmap", runtimeConfig: { portMappings: mappings.map(mapping) }, ...more };
}

/** The ports in portmap's own table, and the chains of containers in iptables. */
export function portsLeft(w: World): unknown[] {
  const chains = ["iptables-save", "ip6tables-save"].flatMap((program) => w.iptables(program));
  return [...w.elements(), ...chains.filter((line) => line.includes("CNI-DN-"))];
}

/** Containers on a bridge, c1 and so on, each of which answers at the ports 80 and 81. */
export async function containers(t: TestContext, w: World, count: number) {
  const made: { container: Container; result: Json }[] = [];
  for (let number = 1; number <= count; number++) {
    const container = w.container(`c${number}`);
    made.push({ container, result: w.add(bridge, container) });
    await answer(t, container, 80, 81);
  }
  return made;
}
