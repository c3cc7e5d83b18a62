import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCidr } from "../../address/cidr.ts";
import { parseIp } from "../../address/ip.ts";
import type { PortMapping } from "../../spec/capabilities/port-mappings.ts";
import { CniError } from "../../spec/errors.ts";
import { checkMappings, describePort, forwardsByFamily } from "./wish.ts";

function mapping(hostPort: number, containerPort: number, hostIP?: string): PortMapping {
  return { hostPort, containerPort, protocol: "tcp", ...(hostIP && { hostIP: parseIp(hostIP)! }) };
}

test("each family has the mappings that its packets meet, each once", () => {
  const addresses = ["10.1.0.2/24", "fd01::2/64", "10.2.0.2/24"].map((text) => parseCidr(text)!);
  const mappings = [
    mapping(8080, 80),
    mapping(8080, 80, "0.0.0.0"),
    mapping(8081, 80, "192.0.2.1"),
    mapping(8082, 80, "::"),
    mapping(8083, 80, "fd99::1"),
  ];
  const told = forwardsByFamily({ mappings, addresses }).map(({ family, target, mappings: own }) => [
    family,
    `${target}`,
    own.map((one) => `${describePort(one)} ${one.containerPort}`),
  ]);
  assert.deepEqual(told, [
    [4, "10.1.0.2/24", ["8080/tcp 80", "192.0.2.1:8081/tcp 80"]],
    [6, "fd01::2/64", ["8080/tcp 80", "8082/tcp 80", "[fd99::1]:8083/tcp 80"]],
  ]);
  assert.deepEqual(forwardsByFamily({ mappings, addresses: [] }), []);
  assert.deepEqual(
    forwardsByFamily({ mappings: [mapping(1, 1, "fd99::1")], addresses: [addresses[0]!] }),
    [],
  );
});

test("a port of the host leads to one port of the container", () => {
  const rows: [mappings: PortMapping[], port?: string][] = [
    [[mapping(1, 1), mapping(1, 1), mapping(1, 2, "192.0.2.1")]],
    [[mapping(1, 1, "0.0.0.0"), mapping(1, 2, "::")]],
    [[mapping(1, 1), { ...mapping(1, 2), protocol: "udp" }]],
    [[mapping(1, 1), mapping(1, 2)], "1/tcp"],
    [[mapping(1, 1), mapping(1, 2, "0.0.0.0")], "1/tcp"],
    [[mapping(1, 1), mapping(1, 2, "::")], "1/tcp"],
    [[mapping(1, 1, "fd99::1"), mapping(1, 2, "fd99::1")], "[fd99::1]:1/tcp"],
  ];
  for (const [mappings, port] of rows) {
    if (port === undefined) checkMappings(mappings);
    else
      assert.throws(
        () => checkMappings(mappings),
        (error) =>
          error instanceof CniError &&
          error.code === 7 &&
          error.message === `host port ${port} is mapped twice, to the ports 1 and 2`,
      );
  }
});
